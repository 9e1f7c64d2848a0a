"""Somebody puts another table in the target's place, beside a load or behind the control database's back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.observers import Interfering

STARTED_AT = "2026-01-01 10:00:00+00"


def make(bench: Bench, strategy: str = "incremental", **values: Any) -> int:
    bench.source.execute("CREATE TABLE items (id integer, name text, updated_at timestamptz)")
    bench.source.execute(
        f"INSERT INTO items SELECT i, 'row ' || i, '{STARTED_AT}' FROM generate_series(1, 5) AS i"
    )
    return bench.row(
        load_strategy=strategy,
        primary_key_cols="id",
        incremental_column="updated_at",
        lookback="0 seconds",
        **values,
    )


def change(bench: Bench, number: int, hour: int) -> None:
    bench.source.execute(
        f"UPDATE items SET name = 'at {hour}', updated_at = '2026-01-01 {hour}:00:00+00' WHERE id = {number}"
    )


def folder(bench: Bench) -> Path:
    return bench.home / "warehouse" / "bronze" / bench.schema / "items"


def restore(bench: Bench) -> None:
    bench.spark_sql("RESTORE TABLE {t} TO VERSION AS OF 0")


def empty(bench: Bench) -> None:
    bench.spark_sql("DELETE FROM {t}")


def empty_by_a_predicate(bench: Bench) -> None:
    bench.spark_sql("DELETE FROM {t} WHERE id IS NOT NULL")


def empty_by_a_merge(bench: Bench) -> None:
    bench.spark_sql(
        "MERGE INTO {t} t USING (SELECT 0 AS id WHERE false) s ON t.id = s.id "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE"
    )


def replace(bench: Bench) -> None:
    bench.spark_sql("CREATE OR REPLACE TABLE {t} USING delta AS SELECT * FROM {t} VERSION AS OF 0 LIMIT 2")


def make_anew(bench: Bench) -> None:
    _drop_and_make(bench)


def make_anew_with_more_versions(bench: Bench) -> None:
    _drop_and_make(bench)
    for statement in ("INSERT INTO {t} VALUES (7, 'by hand', NULL)", "DELETE FROM {t} WHERE id = 7") * 2:
        bench.spark_sql(statement)


def _drop_and_make(bench: Bench) -> None:
    shutil.rmtree(folder(bench))
    columns = "id INT, name STRING, updated_at TIMESTAMP"
    bench.spark_sql(f"CREATE TABLE {{t}} ({columns}) USING delta")


REPLACEMENTS = [
    restore,
    pytest.param(empty, marks=pytest.mark.faults),
    empty_by_a_predicate,
    pytest.param(empty_by_a_merge, marks=pytest.mark.faults),
    replace,
    pytest.param(make_anew, marks=pytest.mark.faults),
    make_anew_with_more_versions,
]


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_a_target_replaced_beside_a_load_is_read_from_the_beginning(
    bench: Bench, replacement: Callable[[Bench], None]
) -> None:
    row = make(bench)
    bench.succeed(row)
    change(bench, 1, 12)
    bench.succeed(row)
    change(bench, 2, 13)
    bench.succeed(row)
    change(bench, 3, 14)
    bench.observer = Interfering(Moment.STAGED, lambda: replacement(bench))
    bench.succeed(row)
    assert bench.target_rows() != bench.source_rows()
    bench.observer = LogObserver()
    assert "everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    change(bench, 4, 15)
    assert bench.succeed(row).receipt.low == "2026-01-01 14:00:00+00", "from now on it is continuous again"
    assert bench.target_rows() == bench.source_rows()


def test_what_is_replaced_beside_a_load_that_replaces_it_itself_does_not_matter(bench: Bench) -> None:
    row = make(bench)
    bench.succeed(row)
    change(bench, 1, 12)
    bench.succeed(row)
    bench.set(row, load_full="true")
    bench.observer = Interfering(Moment.STAGED, lambda: restore(bench))
    bench.succeed(row)
    bench.observer = LogObserver()
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == "2026-01-01 12:00:00+00"


def test_rows_added_to_a_target_replaced_beside_a_load_are_read_again(bench: Bench) -> None:
    row = make(bench, "append_only")
    bench.succeed(row)
    for number in (6, 7, 8):
        bench.source.execute(f"INSERT INTO items VALUES ({number}, 'new', '2026-01-01 {number + 6}:00+00')")
        if number == 8:
            bench.observer = Interfering(Moment.STAGED, lambda: restore(bench))
        bench.succeed(row)
    assert bench.target_rows() != bench.source_rows()
    bench.observer = LogObserver()
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_scan_for_deleted_rows_hides_no_replacement(bench: Bench) -> None:
    row = make(bench, delete_policy="scan", delete_cron="0 0 1 1 *", shrink_guard_percent=90)
    bench.succeed(row)
    change(bench, 1, 12)
    bench.succeed(row)
    change(bench, 2, 13)
    bench.source.execute("DELETE FROM items WHERE id = 5")
    bench.set(row, next_delete_scan="2026-01-01 00:00:00+00")
    # Between the load's own two commits: its publication, and what it then deletes.
    bench.observer = Interfering(Moment.PUBLISHED, lambda: restore(bench))
    bench.load(row)
    bench.observer = LogObserver()
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("break_it", [False, True])
def test_a_target_replaced_between_the_chunks_of_a_backfill(bench: Bench, break_it: bool) -> None:
    row = make(bench, "chunked_backfill", chunk_size="2 days")
    bench.source.execute("UPDATE items SET updated_at = updated_at + id * interval '3 days'")

    class Replacing:
        left = 3

        def reached(self, config: object, moment: Moment) -> None:
            self.left -= moment is Moment.CHUNKED
            if moment is Moment.CHUNKED and self.left == 0:
                restore(bench)
            if moment is Moment.CHUNKED and self.left == -1 and break_it:
                raise RuntimeError("broken on purpose")

    bench.observer = Replacing()
    bench.load(row)
    bench.observer = LogObserver()
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_target_that_is_older_than_the_last_load_on_record_is_read_from_the_beginning(
    bench: Bench, tmp_path: Path
) -> None:
    row = make(bench)
    bench.succeed(row)
    shutil.copytree(folder(bench), tmp_path / "backup")
    change(bench, 1, 12)
    bench.succeed(row)
    change(bench, 2, 13)
    bench.succeed(row)
    assert bench.succeed(row).receipt.rows_inserted == 0
    shutil.rmtree(folder(bench))
    shutil.copytree(tmp_path / "backup", folder(bench))
    assert "older than the last load" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    change(bench, 3, 14)
    assert bench.succeed(row).receipt.low == "2026-01-01 13:00:00+00"
    assert bench.target_rows() == bench.source_rows()
