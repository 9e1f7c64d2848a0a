"""Windows that were published and never settled into the row: what they have read decides how it goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.names import TargetName
from tests.bench import Bench
from tests.integration.loader.breaking import die_unsettled
from tests.integration.loader.test_delete_scan import make


def fill(bench: Bench, first: int, last: int) -> None:
    bench.source.execute(
        f"INSERT INTO items SELECT i, i, 'anew ' || i FROM generate_series({first}, {last}) i"
    )


def die_and_be_edited(bench: Bench, row: int) -> None:
    die_unsettled(bench, row)
    bench.set(row, lookback="1")


def be_cancelled_at_the_last(bench: Bench, row: int, *, stages: int) -> None:
    """Have a load interrupted when it drops the last of its stages: it is Cancelled by its own word."""
    drop, left = bench.engine.drop_stage, [stages]

    def dropping(name: TargetName) -> None:
        drop(name)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.engine, "drop_stage", dropping)
        with pytest.raises(KeyboardInterrupt):
            bench.load(row)
    assert left == [0]


def be_cancelled_after_a_scan(bench: Bench, row: int) -> None:
    be_cancelled_at_the_last(bench, row, stages=2)


def be_cancelled_after_a_window(bench: Bench, row: int) -> None:
    be_cancelled_at_the_last(bench, row, stages=1)


@pytest.mark.parametrize("end", [die_and_be_edited, be_cancelled_after_a_scan])
def test_a_scan_does_not_hide_that_all_was_read_again(
    bench: Bench, end: Callable[[Bench, int], None]
) -> None:
    row = make(bench, 100, lookback="0", shrink_guard_percent=90)
    bench.source.execute("UPDATE items SET name = 'x' WHERE id = 100")
    bench.succeed(row)
    bench.spark_sql("RESTORE TABLE {t} TO VERSION AS OF 0")
    bench.source.execute("DELETE FROM items")
    fill(bench, 1, 50)
    bench.make_scan_due(row)
    end(bench, row)
    fill(bench, 51, 120)
    bench.succeed(row)
    assert not bench.source_rows() - bench.target_rows()


@pytest.mark.parametrize("end", [die_and_be_edited, be_cancelled_after_a_window])
def test_what_a_lagging_copy_turned_back_is_read_again(
    bench: Bench, end: Callable[[Bench, int], None]
) -> None:
    bench.source.execute(
        "CREATE TABLE items AS SELECT i AS id, i AS at, 'v1' AS name FROM generate_series(1, 5) i"
    )
    bench.source.execute("INSERT INTO items VALUES (9, NULL, 'v1')")
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at", lookback="0")
    bench.succeed(row)
    bench.source.execute("CREATE TABLE copy AS SELECT * FROM items")
    bench.source.execute("UPDATE items SET at = 7, name = 'v2' WHERE id = 9")
    bench.source.execute("INSERT INTO items VALUES (8, 8, 'v1')")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items RENAME TO fresh; ALTER TABLE copy RENAME TO items")
    end(bench, row)
    bench.source.execute("ALTER TABLE items RENAME TO copy; ALTER TABLE fresh RENAME TO items")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_control_database_from_before_the_source_began_anew(bench: Bench) -> None:
    row = make(bench, 100, lookback="0", delete_policy="ignore", delete_cron=None)
    fill(bench, 101, 101)
    bench.succeed(row)
    before = bench.state(row)
    bench.source.execute("DELETE FROM items")
    fill(bench, 1, 50)
    bench.set(row, load_full="true")
    bench.succeed(row)
    fill(bench, 51, 80)
    bench.succeed(row)
    with transaction(bench.control, change_source="loader") as connection:
        # As in the backup; a value alone would be a person's word.
        for column in ("incremental_value", "watermark_of"):
            connection.execute(
                text(f"UPDATE control.table_control SET {column} = :then"), {"then": getattr(before, column)}
            )
    fill(bench, 81, 120)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_window_that_was_never_settled_is_gone_on_from(bench: Bench) -> None:
    row = make(bench, 10, lookback="0", delete_policy="ignore", delete_cron=None)
    fill(bench, 11, 20)
    be_cancelled_after_a_window(bench, row)
    fill(bench, 21, 30)
    result = bench.succeed(row)
    assert "read again" not in result.message
    assert result.receipt.low == "10"
    assert bench.target_rows() == bench.source_rows()
