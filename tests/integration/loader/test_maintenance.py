"""Maintenance by policy, beside loads that must not notice it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.control.maintained import maintained_rows
from airflow_dataloader.loader.maintenance import maintain_targets
from airflow_dataloader.loader.observer import LogObserver, Moment
from airflow_dataloader.loader.run import run_load
from tests.bench import Bench
from tests.observers import Interfering

INCREMENTAL = {
    "load_strategy": "incremental",
    "primary_key_cols": "id",
    "incremental_column": "at",
    "lookback": "0",
}
BOTH = {"optimize_every_hours": 24, "vacuum_every_hours": 168}


def make(bench: Bench, **columns: Any) -> int:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, name text, at integer)")
    bench.source.execute("INSERT INTO items SELECT i, 'row ' || i, i FROM generate_series(1, 9) i")
    return bench.row(**INCREMENTAL | columns)


def change(bench: Bench, number: int) -> None:
    """Change one row and add one."""
    bench.source.execute("UPDATE items SET name = 'changed', at = %s WHERE id = 1", [number])
    bench.source.execute("INSERT INTO items VALUES (%s, 'new', %s)", [number, number])


def maintain(bench: Bench, *, done: bool = True) -> list[str]:
    said: list[str] = []
    rows = maintained_rows(bench.control)
    assert maintain_targets(bench.control, bench.engine, rows, report=said.append) is done
    return [line.partition("): ")[2] for line in said]


def test_a_row_without_a_policy_is_left_alone(bench: Bench) -> None:
    bench.succeed(make(bench))
    assert maintain(bench) == []


def test_loads_go_on_from_their_watermark_after_optimize_and_vacuum(bench: Bench) -> None:
    row = make(bench, **BOTH)
    assert maintain(bench) == [], "there is no target yet"
    bench.succeed(row)
    change(bench, 10)
    bench.succeed(row)
    compacted, vacuumed = maintain(bench)
    assert compacted.startswith("compacted ")
    assert " into 1 file (" in compacted
    assert vacuumed == "no file that no version of the last 7 days needs."
    assert maintain(bench) == [], "both have just been done"
    change(bench, 11)
    third = bench.succeed(row)
    assert (third.receipt.low, third.receipt.rows_read) == ("10", 3), "the row at the watermark, and two"
    assert bench.target_rows() == bench.source_rows()
    assert maintain(bench) == [], "it has changed, and it is too soon"


@pytest.mark.parametrize("moment", [Moment.PLANNED, Moment.PUBLISHING])
def test_a_load_survives_maintenance_in_its_midst(bench: Bench, moment: Moment) -> None:
    row = make(bench)
    bench.succeed(row)
    change(bench, 10)
    bench.succeed(row)
    change(bench, 11)

    def compact_and_vacuum() -> None:
        """Do so as somebody does who does not ask what is being loaded."""
        done = bench.engine.optimize(bench.target())
        assert done is not None
        assert done.files_removed
        bench.engine.vacuum(bench.target())

    bench.observer = Interfering(moment, compact_and_vacuum)
    assert bench.succeed(row).receipt.rows_read == 3, "the row at the watermark, and two"
    bench.observer = LogObserver()
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == "11"


def test_a_check_finds_no_changes_after_maintenance(bench: Bench) -> None:
    row = make(bench, **BOTH, load_strategy="check_and_load")
    bench.succeed(row)
    change(bench, 10)
    bench.succeed(row)
    assert len(maintain(bench)) == 2
    assert "no changes" in bench.succeed(row).message


def test_a_target_that_is_being_loaded_is_left_to_the_next_run(bench: Bench) -> None:
    row = make(bench, **BOTH)
    bench.succeed(row)
    change(bench, 10)
    ids = bench.claim(row)
    assert maintain(bench) == [f"left to the next run, because load {ids.metadata_id} holds the target."]
    run_load(bench.context, ids)
    assert len(maintain(bench)) == 2


def test_a_target_that_keeps_files_too_briefly_is_not_vacuumed(bench: Bench) -> None:
    row = make(bench, vacuum_every_hours=1)
    bench.succeed(row)
    bench.source.execute("CREATE TABLE others AS SELECT * FROM items")
    bench.succeed(bench.row("others", vacuum_every_hours=1))
    bench.spark_sql(
        "ALTER TABLE {t} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 12 hours')"
    )
    refused, other = maintain(bench, done=False)
    assert refused == (
        "Not vacuumed: the target keeps files of older versions for 12 hours, and who reads one is to have "
        "7 days. Fix: set delta.deletedFileRetentionDuration of the target to 'interval 7 days' or more, or "
        "vacuum_every_hours to NULL."
    )
    assert other.startswith("no file"), "the next row has its turn"


def test_a_new_target_is_clustered_by_its_key(bench: Bench) -> None:
    row = make(bench, cluster_by_key=True, load_columns_policy="id_and_time", optimize_every_hours=1)
    bench.succeed(row)
    change(bench, 10)
    bench.succeed(row)
    (detail,) = bench.spark_sql("DESCRIBE DETAIL {t}")
    assert list(detail.clusteringColumns) == ["id"]
    assert maintain(bench)[0].startswith("compacted ")
    bench.set(row, load_full="true")
    bench.source.execute("ALTER TABLE items ADD COLUMN more integer")
    bench.succeed(row)
    (detail,) = bench.spark_sql("DESCRIBE DETAIL {t}")
    assert list(detail.clusteringColumns) == ["id"]
    columns = ["id", "name", "at", "more"]
    assert sorted(bench.engine.rows(bench.target(), columns)) == sorted(bench.source_rows())


def test_a_key_that_delta_cannot_cluster_by_fails_the_load_before_it_reads(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id bytea PRIMARY KEY, at integer)")
    row = bench.row(load_strategy="full", primary_key_cols="id", cluster_by_key=True)
    failed = bench.fail(row)
    assert "key column 'id' is of type binary. Fix: set cluster_by_key = false on the row." in failed.message
    assert f"config_id {row} (" in failed.message
    bench.set(row, cluster_by_key=False)
    bench.succeed(row)


def test_a_row_without_a_key_is_refused_by_its_claim(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer)")
    row = bench.row(load_strategy="full", cluster_by_key=True)
    bench.claim(row)
    state = bench.state(row)
    assert state.last_status == "Failed"
    assert "primary_key_cols: is empty, and cluster_by_key needs it" in state.last_status_message
