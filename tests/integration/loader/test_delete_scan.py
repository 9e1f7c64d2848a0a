"""Rows that the source deletes, from the row to the Delta commit."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.observer import LogObserver, Moment
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.integration.loader.breaking import break_off, die_unsettled
from tests.observers import Interfering

SCANNED = {
    "load_strategy": "incremental",
    "primary_key_cols": "id",
    "incremental_column": "at",
    "delete_policy": "scan",
    "delete_cron": "0 3 1 1 *",
}
#: What the source's rows are at the target, whether or not it has a column of marks.
LIVE = ["id", "at", "name"]


def make(bench: Bench, rows: int = 40, **columns: Any) -> int:
    bench.source.execute("CREATE TABLE items (id integer, at integer, name text)")
    bench.source.execute(f"INSERT INTO items SELECT i, i, 'n' || i FROM generate_series(1, {rows}) i")
    row = bench.row(**(SCANNED | columns))
    bench.succeed(row)
    return row


def scan(bench: Bench, row: int) -> Result:
    bench.make_scan_due(row)
    return bench.succeed(row)


def marked(bench: Bench) -> list[int]:
    found = bench.engine.rows(bench.target(), ["id", "_adl_deleted_at"])
    return sorted(number for number, at in found if at is not None)


def live(bench: Bench) -> Counter[tuple[Any, ...]]:
    found = bench.engine.rows(bench.target(), [*LIVE, "_adl_deleted_at"])
    return Counter(row[:-1] for row in found if row[-1] is None)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        pytest.param({"load_strategy": "append_only"}, marks=pytest.mark.faults),
        {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 1}
        | {"rolling_retention": "keep", "query": "SELECT *, date '2026-01-01' + at AS day FROM items"},
    ],
    ids=["incremental", "append_only", "rolling"],
)
def test_what_is_gone_goes_with_the_first_load_after_the_slot(bench: Bench, columns: dict[str, Any]) -> None:
    if "query" in columns:
        # Every row's day is in the window when it is loaded first, and none later.
        columns = columns | {"rolling_days": 100_000}
    row = make(bench, **columns)
    if "query" in columns:
        bench.set(row, rolling_days=1, empty_source_policy="allow")
    bench.source.execute("DELETE FROM items WHERE id IN (3, 5)")
    bench.succeed(row)
    assert len(bench.target_rows()) == 40, "it was not time yet"
    before = bench.state(row).incremental_value
    result = scan(bench, row)
    assert Counter(bench.engine.rows(bench.target(), LIVE)) == bench.source_rows()
    receipt = result.receipt
    assert receipt.delete_scan == {
        "keys": 38, "null_keys": 0, "held": 40, "gone": 2, "keyless": 0, "returned": 0,
        "missing": 0,
    }  # fmt: skip
    load = bench.history(row)[-1]
    assert (load.rows_deleted, load.target_version) == (2, receipt.target_version)
    assert load.mode == f"{columns.get('load_strategy', 'incremental')} + delete_scan"
    state = bench.state(row)
    assert state.incremental_value == before
    assert state.next_delete_scan > datetime.now(UTC)
    # Nothing is owed: the next load finds nothing to adopt, to read again or to delete.
    after = bench.succeed(row).receipt
    assert (after.delete_scan, after.fence_version) == (None, None)


def test_a_key_that_comes_back_with_another_day_is_there_once(bench: Bench) -> None:
    # Only rows of the last day are in a window.
    day = "current_date - (CASE WHEN name = 'new' THEN 0 ELSE 9 END) AS day"
    row = make(
        bench, load_strategy="rolling", rolling_column="day", rolling_days=100, rolling_retention="keep",
        query=f"SELECT *, {day} FROM items", delete_policy="soft", empty_source_policy="allow",
    )  # fmt: skip
    bench.set(row, rolling_days=1)
    bench.source.execute("DELETE FROM items WHERE id = 3")
    scan(bench, row)
    assert marked(bench) == [3]
    bench.source.execute("INSERT INTO items VALUES (3, 3, 'new')")
    scan(bench, row)
    assert marked(bench) == [3]
    assert live(bench) == bench.source_rows()


def test_one_load_brings_what_is_new_and_takes_what_is_gone(bench: Bench) -> None:
    row = make(bench)
    bench.source.execute("DELETE FROM items WHERE id = 7")
    bench.source.execute("INSERT INTO items VALUES (41, 41, 'new'), (42, 42, 'new')")
    bench.source.execute("UPDATE items SET name = 'changed', at = 43 WHERE id = 1")
    receipt = scan(bench, row).receipt
    assert bench.target_rows() == bench.source_rows()
    assert (receipt.rows_read, receipt.rows_inserted, receipt.rows_updated, receipt.rows_deleted) == (
        4,
        2,
        1,
        1,
    )
    assert bench.state(row).incremental_value == "43"
    assert bench.history(row)[-1].rows_processed == 3


def test_nothing_gone_makes_no_commit(bench: Bench) -> None:
    row = make(bench, load_strategy="check_and_load")
    version = bench.history(row)[-1].target_version
    result = scan(bench, row)
    assert result.receipt.target_version is None
    assert result.receipt.delete_scan is not None
    assert bench.engine.count(bench.target()) == 40
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert found.version == version


def test_keys_that_the_target_lacks_are_counted_and_said(bench: Bench) -> None:
    row = make(bench)
    bench.source.execute("DELETE FROM items WHERE id = 3")
    bench.source.execute("INSERT INTO items VALUES (101, 7, 'below the watermark'), (102, 7, 'too')")
    result = scan(bench, row)
    assert result.receipt.delete_scan is not None
    assert (result.receipt.delete_scan["missing"], result.receipt.delete_scan["held"]) == (2, 40)
    assert "2 keys of the source are not at the target" in result.message
    assert result.receipt.rows_deleted == 1
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert "missing" not in scan(bench, row).message
    assert bench.target_rows() == bench.source_rows()


def test_rows_that_are_left_out_for_their_cursor_are_not_missing(bench: Bench) -> None:
    row = make(bench, null_cursor_policy="exclude")
    bench.source.execute("INSERT INTO items VALUES (101, NULL, 'left out'), (102, NULL, 'this one, too')")
    result = scan(bench, row)
    assert result.receipt.delete_scan is not None
    assert result.receipt.delete_scan["missing"] == 0
    assert "not at the target" not in result.message
    bench.source.execute("INSERT INTO items VALUES (103, 7, 'below the watermark')")
    bench.source.execute("DELETE FROM items WHERE id = 3")
    result = scan(bench, row)
    assert "1 keys of the source" in result.message
    assert result.receipt.rows_deleted == 1


def test_marks_come_and_go_with_the_rows(bench: Bench) -> None:
    row = make(bench, delete_policy="soft")
    bench.source.execute("DELETE FROM items WHERE id IN (3, 5, 7, 9)")
    receipt = scan(bench, row).receipt
    assert (receipt.rows_deleted, marked(bench)) == (4, [3, 5, 7, 9])
    assert live(bench) == bench.source_rows()
    # One comes back with a newer cursor, one as it was, one below what any window reads.
    bench.source.execute("INSERT INTO items VALUES (3, 41, 'back'), (5, 5, 'n5')")
    assert bench.succeed(row).receipt.rows_updated == 1
    assert marked(bench) == [5, 7, 9]
    result = scan(bench, row)
    assert (result.receipt.rows_deleted, result.receipt.rows_updated, marked(bench)) == (0, 1, [7, 9])
    assert "1 marked rows are at the source again and no longer marked" in result.message
    assert live(bench) == bench.source_rows()
    # Without marks from now on, the marked ones go as well.
    bench.set(row, delete_policy="scan")
    assert scan(bench, row).receipt.rows_deleted == 2
    assert live(bench) == bench.source_rows()
    bench.set(row, load_full="true", delete_policy="soft")
    assert "read anew" in scan(bench, row).message
    assert marked(bench) == []


def test_a_row_that_comes_back_older_takes_the_place_of_its_mark(bench: Bench) -> None:
    row = make(bench, delete_policy="soft", lookback="10")
    bench.source.execute("DELETE FROM items WHERE id = 38")
    scan(bench, row)
    assert marked(bench) == [38]
    bench.source.execute("INSERT INTO items VALUES (38, 35, 'other')")
    bench.succeed(row)
    assert marked(bench) == []
    assert live(bench) == bench.source_rows()


def test_the_guard_is_asked_before_anything_is_deleted(bench: Bench) -> None:
    row = make(bench)
    # Six of forty are fifteen percent, which may go.
    bench.source.execute("DELETE FROM items WHERE id <= 6")
    assert scan(bench, row).receipt.rows_deleted == 6
    bench.source.execute("DELETE FROM items WHERE id <= 12")
    bench.source.execute("INSERT INTO items VALUES (41, 41, 'new')")
    bench.make_scan_due(row)
    failed = bench.fail(row)
    assert "6 of the 35 rows at the target, 18 %, are not at the source" in failed.message
    assert "shrink_guard_percent is 15 where none is set" in failed.message
    # What was loaded stays, and is read again.
    assert bench.engine.count(bench.target()) == 35
    assert bench.state(row).incremental_value == "40"
    later = bench.load_at_slot(row)
    assert (later.status, later.receipt.delete_scan) == (LoadStatus.SUCCEEDED, None)
    assert bench.state(row).incremental_value == "41"
    bench.set(row, shrink_guard_percent=18)
    scan(bench, row)
    assert bench.target_rows() == bench.source_rows()


def test_an_empty_source_deletes_nothing_unless_it_may(bench: Bench) -> None:
    row = make(bench, shrink_guard_percent=100)
    bench.source.execute("DELETE FROM items")
    bench.make_scan_due(row)
    assert "has no key at all" in bench.fail(row).message
    assert len(bench.target_rows()) == 40
    bench.set(row, empty_source_policy="allow")
    assert scan(bench, row).receipt.rows_deleted == 40
    assert not bench.target_rows()


def test_where_all_rows_are_marked_already_an_empty_source_keeps_no_scan_from_its_end(bench: Bench) -> None:
    row = make(bench, delete_policy="soft", shrink_guard_percent=100, empty_source_policy="allow")
    bench.source.execute("DELETE FROM items")
    assert len(marked(bench)) == 0
    scan(bench, row)
    assert len(marked(bench)) == 40
    bench.set(row, shrink_guard_percent=None, empty_source_policy="fail")
    scan(bench, row)
    assert len(marked(bench)) == 40
    # To delete them is another matter.
    bench.set(row, delete_policy="scan")
    bench.make_scan_due(row)
    assert "has no key at all" in bench.fail(row).message
    assert len(marked(bench)) == 40


def test_rows_without_a_key_are_left_alone_and_counted(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, at integer, name text)")
    bench.source.execute("INSERT INTO items SELECT i, i, 'n' FROM generate_series(1, 20) i")
    bench.source.execute("INSERT INTO items VALUES (NULL, 21, 'no key')")
    row = bench.row(**SCANNED)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id = 1")
    by_hand = "INSERT INTO {t} VALUES (NULL, 21, 'no key')"
    bench.observer = Interfering(Moment.PUBLISHED, lambda: bench.spark_sql(by_hand))
    result = scan(bench, row)
    assert "1 rows with NULL in the key were left alone." in result.message
    assert bench.target_rows() == bench.source_rows()
    assert result.receipt.delete_scan is not None
    assert (result.receipt.delete_scan["null_keys"], result.receipt.delete_scan["keyless"]) == (1, 1)
    # As soon as it has a key at the source, it would come a second time.
    bench.source.execute("UPDATE items SET id = 21, at = 22 WHERE id IS NULL")
    assert "have NULL in the key" in bench.fail(row).message
    bench.spark_sql("DELETE FROM {t} WHERE id IS NULL")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_source_that_has_our_column_is_refused(bench: Bench) -> None:
    row = make(bench)
    bench.set(row, query="SELECT *, NULL::timestamptz AS _adl_deleted_at FROM items")
    assert "a name that delete_policy needs" in bench.fail(row).message


def test_load_and_scan_see_one_snapshot(bench: Bench) -> None:
    row = make(bench)
    bench.source.execute("UPDATE items SET at = 41 WHERE id = 1")
    expected = bench.source_rows()
    delete = "DELETE FROM items WHERE id > 38"
    bench.observer = Interfering(Moment.PUBLISHED, lambda: bench.source.execute(delete))
    assert scan(bench, row).receipt.rows_deleted == 0
    assert bench.target_rows() == expected
    bench.observer = LogObserver()
    scan(bench, row)
    assert bench.target_rows() == bench.source_rows()


def test_a_query_that_shows_others_other_rows_deletes_nothing(bench: Bench) -> None:
    row = make(bench)
    # Of the load's connections the first one counts, and others read.
    whoever_counts = "(SELECT min(backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid())"
    counting = "(SELECT min(backend_start) FROM pg_stat_activity WHERE application_name LIKE 'adl-%')"
    query = f"SELECT * FROM items WHERE id > 2 OR {whoever_counts} = {counting}"
    bench.set(row, query=query, source_table_name=None)
    bench.make_scan_due(row)
    failed = bench.fail(row)
    assert "counts 40 keys, and 38 arrived" in failed.message
    assert "nothing was deleted" in failed.message
    assert bench.target_rows() == bench.source_rows()


def test_a_backfill_looks_when_it_has_come_to_its_end(bench: Bench) -> None:
    row = make(bench, load_strategy="chunked_backfill")
    bench.source.execute("DELETE FROM items WHERE id = 3")
    bench.set(row, load_strategy="chunked_backfill")
    assert scan(bench, row).receipt.delete_scan is not None
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).load_strategy == "incremental"


def test_what_is_newer_than_a_backfill_that_goes_on_need_not_be_brought(
    bench: Bench,
) -> None:
    row = make(bench, load_strategy="chunked_backfill")
    bench.set(row, load_strategy="chunked_backfill", chunk_size="20")
    break_off(bench, row, Moment.CHUNKED)
    bench.source.execute("INSERT INTO items VALUES (41, 41, 'newer')")
    result = scan(bench, row)
    assert result.receipt.delete_scan is not None
    assert result.receipt.delete_scan["missing"] == 1
    assert "keys of the source are not at the target" not in result.message
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_after_a_scan_an_unchanged_source_is_still_unchanged(bench: Bench) -> None:
    row = make(bench, load_strategy="check_and_load")
    bench.source.execute("DELETE FROM items WHERE id = 3")
    assert bench.succeed(row).message == "no changes"
    assert scan(bench, row).receipt.rows_deleted == 1
    assert bench.succeed(row).message == "no changes"
    assert bench.target_rows() == bench.source_rows()


def test_a_scan_after_a_window_without_rows_does_not_hide_that_the_target_was_restored(bench: Bench) -> None:
    row = make(bench, null_cursor_policy="exclude", empty_source_policy="allow")
    bench.source.execute("UPDATE items SET name = 'changed', at = at + 100 WHERE id <= 5")
    bench.succeed(row)
    bench.spark_sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {bench.history(row)[0].target_version}")
    cursors = dict(bench.source.execute("SELECT id, at FROM items").fetchall())
    bench.source.execute("DELETE FROM items WHERE id = 40")
    bench.source.execute("UPDATE items SET at = NULL")
    assert scan(bench, row).receipt.rows_deleted == 1
    for number, at in cursors.items():
        bench.source.execute("UPDATE items SET at = %s WHERE id = %s", (at - 50, number))
    assert "No row had a cursor" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def lag(bench: Bench) -> None:
    """Let the source be as a copy of it that has not got the newest rows yet."""
    bench.source.execute("CREATE TABLE IF NOT EXISTS newest AS SELECT * FROM items WHERE id > 37")
    bench.source.execute("DELETE FROM items WHERE id > 37")


def catch_up(bench: Bench) -> None:
    bench.source.execute("INSERT INTO items SELECT * FROM newest")


@pytest.mark.parametrize("policy", ["scan", "soft"])
@pytest.mark.parametrize(
    "strategy", ["incremental", pytest.param("check_and_load", marks=pytest.mark.faults)]
)
def test_rows_that_a_lagging_copy_does_not_have_come_back_with_it(
    bench: Bench, strategy: str, policy: str
) -> None:
    row = make(bench, load_strategy=strategy, delete_policy=policy)
    lag(bench)
    # A load that looks at no window, since nothing is new, has none to tell it of.
    bench.succeed(row)
    bench.succeed(row)
    assert bench.state(row).incremental_value == "40"
    result = scan(bench, row)
    assert result.receipt.rows_deleted == 3
    assert "the watermark goes back to 37" in result.message
    assert bench.state(row).incremental_value == "37"
    catch_up(bench)
    assert "read again" not in bench.succeed(row).message
    assert Counter(bench.engine.rows(bench.target(), LIVE)) == bench.source_rows()
    assert bench.state(row).incremental_value == "40"
    if policy == "soft":
        assert marked(bench) == []


def test_a_row_of_the_future_does_not_hide_that_a_copy_lags(bench: Bench) -> None:
    query = "SELECT id, timestamptz '2026-01-01' + at * interval '1 minute' AS at, name FROM items"
    row = make(bench, query=query, lookback="0 seconds")
    bench.source.execute("INSERT INTO items VALUES (0, 500000000, 'of the future')")
    bench.succeed(row)
    lag(bench)
    assert "the watermark goes back to 2026-01-01 00:37:00+00" in scan(bench, row).message
    catch_up(bench)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows(query)


def test_newest_rows_that_are_really_gone_go_once(bench: Bench) -> None:
    row = make(bench)
    lag(bench)
    assert scan(bench, row).receipt.rows_deleted == 3
    assert bench.target_rows() == bench.source_rows()
    assert scan(bench, row).message == ""
    bench.source.execute("INSERT INTO items VALUES (41, 38, 'next')")
    assert bench.succeed(row).receipt.rows_inserted == 1
    assert bench.target_rows() == bench.source_rows()


def test_a_source_that_has_gone_back_and_lost_nothing_leaves_the_watermark(bench: Bench) -> None:
    row = make(bench)
    bench.source.execute("UPDATE items SET at = 1 WHERE id > 37")
    assert scan(bench, row).receipt.target_version is None
    assert bench.state(row).incremental_value == "40"


def test_rows_come_back_where_no_row_had_a_cursor_left(bench: Bench) -> None:
    row = make(bench)
    lag(bench)
    bench.source.execute("UPDATE items SET at = NULL")
    assert scan(bench, row).receipt.rows_deleted == 3
    bench.source.execute("UPDATE items SET at = id")
    catch_up(bench)
    assert "No row had a cursor" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize(
    "edit", [{"value_policy": "fail"}, {"value_policy": "string"}], ids=["as it was", "edited"]
)
def test_the_watermark_goes_back_also_where_the_scan_is_adopted(bench: Bench, edit: dict[str, str]) -> None:
    row = make(bench)
    lag(bench)
    bench.make_scan_due(row)
    die_unsettled(bench, row)
    assert len(bench.target_rows()) == 37
    bench.set(row, **edit)
    catch_up(bench)
    result = bench.succeed(row)
    assert ("everything was read again" in result.message) == (edit["value_policy"] == "string")
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == "40"


def test_rows_come_back_where_a_finished_backfill_s_scans_died_with_their_loads(bench: Bench) -> None:
    bench.source.execute(
        "CREATE TABLE items AS SELECT i AS id, i AS at, 'n' || i AS name FROM generate_series(1, 40) i"
    )
    row = bench.row(**SCANNED | {"load_strategy": "chunked_backfill", "chunk_size": "20"})
    die_unsettled(bench, row)
    lag(bench)
    bench.make_scan_due(row)
    die_unsettled(bench, row)
    assert len(bench.target_rows()) == 37
    catch_up(bench)
    # Its commit is the newest, and tells of no watermark.
    bench.source.execute("DELETE FROM items WHERE id = 5")
    assert scan(bench, row).receipt.rows_deleted == 1
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
