"""The target's fence and the repair of what an earlier attempt left, one case at a time.

The accidents are made by hand here: the control database is put back to what it was before a settlement.
``tests/faults`` makes them by killing processes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from airflow_dataloader.control.intervene import advance_epoch
from tests.bench import Bench


def incremental(bench: Bench) -> int:
    bench.source.execute("CREATE TABLE items (id integer, name text, updated_at timestamptz)")
    bench.source.execute("INSERT INTO items VALUES (1, 'one', '2026-01-01 10:00:00+00')")
    return bench.row(
        load_strategy="incremental",
        primary_key_cols="id",
        incremental_column="updated_at",
        lookback="0 seconds",
    )


def forget_settlement(bench: Bench, config_id: int, watermark: str | None) -> None:
    """Make the row's last load one that committed, and was then given up by reap."""
    run(
        bench,
        "UPDATE control.historical_metadata SET "
        "load_status = 'Failed', target_version = NULL, receipt = NULL, "
        'watermark_high = NULL, failure = \'{"settled_by": "reap"}\' '
        "WHERE id = (SELECT max(id) FROM control.historical_metadata WHERE config_id = :id)",
        id=config_id,
    )
    run(
        bench,
        "UPDATE control.table_control SET last_status = 'Failed', incremental_value = :watermark "
        "WHERE config_id = :id",
        id=config_id,
        watermark=watermark,
    )


def run(bench: Bench, statement: str, **values: Any) -> None:
    with bench.control.begin() as connection:
        connection.execute(text("SET LOCAL dataloader.repair = 'on'"))
        connection.execute(text(statement), values)


def test_no_fence_where_nobody_owes_one(bench: Bench) -> None:
    row = incremental(bench)
    bench.succeed(row)
    assert bench.succeed(row).receipt.fence_version is None


def test_a_commit_that_nobody_settled_is_adopted(bench: Bench) -> None:
    row = incremental(bench)
    first = bench.succeed(row)
    forget_settlement(bench, row, None)
    bench.source.execute("INSERT INTO items VALUES (2, 'two', '2026-01-02 10:00:00+00')")
    second = bench.succeed(row)
    assert second.receipt.adopted == first.metadata_id
    assert second.receipt.fence_version is not None
    # It went on from the adopted watermark: only the boundary row and the new one were read.
    assert second.receipt.low == "2026-01-01 10:00:00+00"
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == "2026-01-02 10:00:00+00"
    attempt = bench.history(row)[0]
    assert attempt.target_version == first.receipt.target_version
    assert attempt.adopted_by == second.metadata_id
    assert bench.succeed(row).receipt.fence_version is None


def test_maintenance_hides_no_commit_from_a_repair(bench: Bench) -> None:
    row = incremental(bench)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (2, 'two', '2026-01-02 10:00:00+00')")
    second = bench.succeed(row)
    forget_settlement(bench, row, "2026-01-01 10:00:00+00")
    done = bench.engine.optimize(bench.target())
    assert done is not None
    assert done.files_removed > 1
    bench.engine.vacuum(bench.target())
    assert bench.succeed(row).receipt.adopted == second.metadata_id
    assert bench.target_rows() == bench.source_rows()


def test_a_commit_of_another_configuration_does_not_move_the_watermark(bench: Bench) -> None:
    row = incremental(bench)
    bench.succeed(row)
    forget_settlement(bench, row, None)
    bench.set(row, query="SELECT * FROM items WHERE id < 100")
    second = bench.succeed(row)
    assert second.receipt.low is None
    assert bench.target_rows() == bench.source_rows()


def test_a_watermark_that_a_person_set_meanwhile_stays(bench: Bench) -> None:
    row = incremental(bench)
    bench.succeed(row)
    forget_settlement(bench, row, None)
    bench.set(row, incremental_value="2025-01-01 00:00:00+00")
    assert bench.succeed(row).receipt.low == "2025-01-01 00:00:00+00"
    assert bench.target_rows() == bench.source_rows()


def test_an_attempt_that_never_committed_leaves_nothing_to_adopt(bench: Bench) -> None:
    row = incremental(bench)
    bench.succeed(row)
    ids = bench.claim(row)
    run(
        bench,
        "UPDATE control.historical_metadata SET load_status = 'Failed', start_nonce = 'x', "
        'load_end_time = now(), failure = \'{"settled_by": "reap"}\' WHERE id = :id',
        id=ids.metadata_id,
    )
    run(bench, "UPDATE control.table_control SET last_status = 'Failed' WHERE config_id = :id", id=row)
    after = bench.succeed(row)
    assert after.receipt.fence_version is not None
    assert after.receipt.adopted is None


def test_a_target_ahead_of_a_restored_control_database_is_refused_until_a_person_says_so(
    bench: Bench,
) -> None:
    row = incremental(bench)
    for _ in range(3):
        bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (2, 'two', '2026-01-02 10:00:00+00')")
    before = bench.target_rows()
    run(bench, "DELETE FROM control.historical_metadata WHERE config_id = :id", id=row)
    # No edit turns an epoch back; a backup that is restored does.
    turn = "ALTER TABLE control.table_control {} TRIGGER zz_table_control_05_epoch_edited"
    run(bench, turn.format("DISABLE"))
    run(bench, "UPDATE control.table_control SET load_epoch = 1 WHERE config_id = :id", id=row)
    run(bench, turn.format("ENABLE"))
    refused = bench.fail(row)
    assert "restored from a backup" in refused.message
    assert f"dataloader db advance-epoch {row} 3" in refused.message
    assert bench.target_rows() == before
    advance_epoch(bench.control, row, 3)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
