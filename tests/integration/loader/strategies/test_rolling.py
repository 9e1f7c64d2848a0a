"""``rolling``: the last days are replaced, older ones go or stay."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader import replacement
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.strategies import rolling as rolling_module
from tests.bench import Bench
from tests.integration.loader.breaking import break_off, die_unsettled

#: SQL type to a value that lies a number of days before today, in the middle of the day.
TYPES = {
    "date": "(now() AT TIME ZONE 'UTC')::date - {}",
    "timestamp": "(now() AT TIME ZONE 'UTC')::date - {} + time '12:00'",
    "timestamptz": "((now() AT TIME ZONE 'UTC')::date - {} + time '12:00') AT TIME ZONE 'UTC'",
}


def make(bench: Bench, kind: str = "date", days: int = 10) -> None:
    bench.source.execute(f"CREATE TABLE items (id integer, name text, at {kind})")
    bench.source.execute(
        f"INSERT INTO items SELECT i, 'old', {TYPES[kind].format('i')} FROM generate_series(0, {days - 1}) i"
    )


def rolling(bench: Bench, **overrides: Any) -> int:
    values = {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 3}
    return bench.row(**(values | overrides))


def ids(bench: Bench) -> list[tuple[int, str]]:
    return sorted((row[0], row[1]) for row in bench.target_rows())


@pytest.mark.parametrize("kind", ["date", "timestamptz"])
def test_the_window_is_replaced_and_what_left_it_goes(bench: Bench, kind: str) -> None:
    make(bench, kind)
    row = rolling(bench)
    first = bench.succeed(row).receipt
    assert (first.rows_read, first.source_rows, first.rows_inserted) == (3, 3, 3)
    assert ids(bench) == [(0, "old"), (1, "old"), (2, "old")]
    bench.source.execute("UPDATE items SET name = 'new'")
    bench.source.execute("DELETE FROM items WHERE id = 0")
    bench.set(row, rolling_days=2)
    bench.succeed(row)
    assert ids(bench) == [(1, "new")]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_older_rows_stay_where_the_row_says_so(bench: Bench, kind: str) -> None:
    make(bench, kind)
    row = rolling(bench, rolling_retention="keep", rolling_days=10)
    bench.succeed(row)
    bench.source.execute("UPDATE items SET name = 'new'")
    bench.source.execute("DELETE FROM items WHERE id IN (1, 5)")
    bench.set(row, rolling_days=3)
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_inserted, receipt.rows_deleted) == (2, 3)
    assert ids(bench) == [(0, "new"), (2, "new"), *((day, "old") for day in range(3, 10))]


@pytest.mark.parametrize("cleared", [False, True])
def test_a_table_that_was_replaced_on_demand_is_not_replaced_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, cleared: bool
) -> None:
    make(bench)
    # The target has it under another name.
    bench.source.execute('ALTER TABLE items RENAME COLUMN at TO "the day"')
    row = rolling(bench, rolling_retention="keep", rolling_column="the day")
    bench.succeed(row)
    bench.set(row, load_full="true")
    if not cleared:
        # As where it dies right after its commit.
        monkeypatch.setattr(rolling_module, "finish_load_full", lambda *_: None)
    die_unsettled(bench, row)
    monkeypatch.undo()
    assert (bench.state(row).load_full is None) is cleared
    # What decides neither which rows are the source's nor whose the days are changes nothing about that.
    bench.set(row, schema_policy="freeze")
    # Such a day as it leaves behind when the next load comes later.
    bench.spark_sql("INSERT INTO {t} VALUES (8, 'kept', DATE '2020-01-01')")
    break_off(bench, row, Moment.PUBLISHING)
    assert bench.state(row).load_full is None
    assert (8, "kept") in ids(bench)
    bench.succeed(row)
    assert ids(bench) == [(0, "old"), (1, "old"), (2, "old"), (8, "kept")]
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert ids(bench) == [(0, "old"), (1, "old"), (2, "old")]


def test_it_is_not_replaced_again_by_a_load_that_failed_after_its_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bench)
    row = rolling(bench, rolling_retention="keep", load_full="true")

    def away(*_: object) -> None:
        raise SourceUnavailable("the source has no connection left", fix="wait")

    monkeypatch.setattr(replacement, "compare_with_source", away)
    bench.fail(row)
    monkeypatch.undo()
    assert bench.state(row).load_full is None
    bench.spark_sql("INSERT INTO {t} VALUES (8, 'kept', DATE '2020-01-01')")
    bench.succeed(row)
    assert (8, "kept") in ids(bench)


def test_it_is_not_replaced_again_by_a_load_that_was_interrupted_after_its_commit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bench)
    row = rolling(bench, rolling_retention="keep", load_full="true")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    # As by a signal while it waits for a control database that is away just then.
    monkeypatch.setattr(rolling_module, "finish_load_full", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.load(row)
    monkeypatch.undo()
    assert bench.history(row)[-1].load_status == "Cancelled"
    bench.spark_sql("INSERT INTO {t} VALUES (8, 'kept', DATE '2020-01-01')")
    bench.succeed(row)
    assert (8, "kept") in ids(bench)
    assert bench.state(row).load_full is None


@pytest.mark.parametrize("filled", [False, True])
def test_kept_rows_without_a_day_in_another_column_are_not_doubled(bench: Bench, filled: bool) -> None:
    make(bench)
    row = rolling(bench, rolling_retention="keep", rolling_days=10)
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD COLUMN booked date")
    bench.source.execute("UPDATE items SET booked = at")
    bench.set(row, rolling_days=1)
    bench.succeed(row)
    bench.set(row, rolling_column="booked", rolling_days=5)
    message = bench.fail(row).message
    assert "9 rows of" in message
    assert "no value in 'booked'; the last load went by 'at'" in message
    if filled:
        bench.spark_sql("UPDATE {t} SET booked = at")
    else:
        bench.set(row, rolling_column="at")
    bench.succeed(row)
    assert [number for number, _ in ids(bench)] == list(range(10))


@pytest.mark.parametrize("kept_before", [False, True])
def test_rows_that_came_by_no_day_are_not_doubled(bench: Bench, kept_before: bool) -> None:
    make(bench)
    bench.source.execute("INSERT INTO items VALUES (-1, 'at no day', NULL)")
    by_key = {"load_strategy": "append_only", "primary_key_cols": "id", "incremental_column": "id"}
    by_days = {"load_strategy": "rolling", "rolling_retention": "keep", "rolling_days": 20}
    row = rolling(bench, **by_days) if kept_before else bench.row(**by_key)
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD COLUMN booked date")
    bench.set(row, **by_key)
    bench.succeed(row)
    bench.source.execute("UPDATE items SET booked = at")
    bench.set(row, **by_days, rolling_column="booked")
    message = bench.fail(row).message
    assert "have no value in 'booked'; the last load went by no such column" in message
    bench.spark_sql("UPDATE {t} SET booked = at")
    bench.spark_sql("DELETE FROM {t} WHERE booked IS NULL")
    bench.succeed(row)
    assert [number for number, _ in ids(bench)] == list(range(10))


@pytest.mark.parametrize("column", ["at the target", "not at the target"])
def test_rows_that_a_restore_brings_back_without_a_day_are_not_doubled(bench: Bench, column: str) -> None:
    make(bench)
    if column == "at the target":
        bench.source.execute("ALTER TABLE items ADD COLUMN booked date")
    row = rolling(bench, rolling_retention="keep", rolling_days=10)
    version = bench.succeed(row).receipt.target_version
    if column != "at the target":
        bench.source.execute("ALTER TABLE items ADD COLUMN booked date")
    bench.source.execute("UPDATE items SET booked = at")
    bench.set(row, rolling_column="booked", load_full="true")
    bench.succeed(row)
    bench.spark_sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {version}")
    failed = bench.fail(row)
    assert "10 rows of" in failed.message
    assert "no value in 'booked'; another table, or an earlier state of this one" in failed.message
    assert "name 'booked' again" not in failed.message
    bench.set(row, load_full="true")
    bench.succeed(row)
    bench.succeed(row)
    assert [number for number, _ in ids(bench)] == list(range(10))


def restored(bench: Bench) -> int:
    """Return a row that keeps older days, and whose target was put back by a load."""
    make(bench)
    row = rolling(bench, rolling_retention="keep")
    version = bench.succeed(row).receipt.target_version
    bench.succeed(row)
    bench.spark_sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {version}")
    return row


def test_a_restored_target_that_keeps_older_rows_may_lack_some(bench: Bench) -> None:
    row = restored(bench)
    message = bench.succeed(row).message
    assert "restored" in message
    assert "rows of earlier days may be missing" in message
    assert "may be missing" not in bench.succeed(row).message


def test_a_zone_by_which_a_window_begins_after_the_last_load_may_lack_rows(bench: Bench) -> None:
    make(bench)
    row = rolling(bench, rolling_retention="keep", rolling_days=1, load_timezone="Etc/GMT+12")
    bench.succeed(row)
    # It is tomorrow there, by the first one's clock, at any time.
    bench.set(row, load_timezone="Pacific/Kiritimati", empty_source_policy="allow")
    message = bench.succeed(row).message
    assert "before this window begins; rows of earlier days may be missing" in message


def test_days_begin_in_the_row_s_zone(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, at timestamptz)")
    midnight = "date_trunc('day', now() AT TIME ZONE 'Asia/Kathmandu') AT TIME ZONE 'Asia/Kathmandu'"
    bench.source.execute(
        f"INSERT INTO items VALUES (1, {midnight}), (2, {midnight} - interval '1 microsecond')"
    )
    row = rolling(bench, rolling_days=1, load_timezone="Asia/Kathmandu", rolling_retention="keep")
    for _ in range(2):
        bench.succeed(row)
        assert [found[0] for found in bench.target_rows()] == [1]


def test_rows_without_a_day_are_counted_and_left_out(bench: Bench) -> None:
    make(bench)
    bench.source.execute("INSERT INTO items VALUES (99, 'never', NULL), (98, 'never', NULL)")
    result = bench.succeed(rolling(bench))
    assert result.receipt.null_cursors == 2
    assert "2 rows without a value in 'at'" in result.message
    assert len(ids(bench)) == 3


def test_days_that_cannot_be_kept_fail_the_load_or_count_as_none(bench: Bench) -> None:
    make(bench)
    bench.source.execute("INSERT INTO items VALUES (99, 'never', '-infinity'), (98, 'ever', 'infinity')")
    row = rolling(bench)
    assert "'at'" in bench.fail(row).message
    bench.set(row, value_policy="null")
    assert bench.succeed(row).receipt.null_cursors == 2
    assert len(ids(bench)) == 3


@pytest.mark.parametrize("retention", ["window", "keep"])
def test_an_empty_window_does_not_empty_a_filled_target(bench: Bench, retention: str) -> None:
    make(bench)
    row = rolling(bench, rolling_retention=retention)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id < 3")
    failed = bench.fail(row)
    assert "empty_source_policy" in failed.message
    assert len(ids(bench)) == 3
    bench.set(row, empty_source_policy="allow")
    bench.succeed(row)
    assert ids(bench) == []


def test_an_empty_window_makes_an_empty_table(bench: Bench) -> None:
    make(bench, days=0)
    bench.succeed(rolling(bench, rolling_retention="keep"))
    assert ids(bench) == []


def test_load_full_replaces_the_table_once_also_where_older_rows_stay(bench: Bench) -> None:
    make(bench)
    row = rolling(bench, rolling_retention="keep", rolling_days=10)
    bench.succeed(row)
    bench.set(row, rolling_days=2, load_full="true")
    bench.succeed(row)
    assert len(ids(bench)) == 2
    assert bench.state(row).load_full is None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"load_timezone": "Mars/Olympus_Mons"}, "load_timezone"),
        ({"load_timezone": "UTC+5"}, "load_timezone"),
        ({"rolling_column": "name"}, "rolling_column"),
        ({"rolling_column": "day"}, "rolling_column"),
    ],
)
def test_what_a_person_gets_wrong_is_named(bench: Bench, values: dict[str, Any], field: str) -> None:
    make(bench)
    assert field in bench.fail(rolling(bench, **values)).message
