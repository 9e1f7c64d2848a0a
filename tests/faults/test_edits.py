"""People and sources change things while a load runs: the edit wins, and nothing half-read is published."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from airflow_dataloader.control.reap import reap
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import run_load
from tests.bench import Bench
from tests.faults.accident import commits, healthy
from tests.faults.items import change_items, loaded_and_changed
from tests.observers import Interfering
from tests.waiting import eventually


@pytest.mark.parametrize(
    "moment", [Moment.CONNECTED, pytest.param(Moment.SETTLING, marks=pytest.mark.faults)]
)
def test_an_edited_watermark_stays(bench: Bench, moment: Moment) -> None:
    row = loaded_and_changed(bench, "incremental")
    wanted = "2026-01-01 00:30:00+00"
    bench.observer = Interfering(moment, lambda: bench.set(row, incremental_value=wanted))
    result = bench.succeed(row)
    assert "incremental_value" in result.message
    assert bench.state(row).incremental_value == wanted
    healthy(bench, row)
    change_items(bench, 2)
    assert bench.succeed(row).receipt.low == wanted
    healthy(bench, row)


def test_load_full_asked_for_during_a_load_is_done_by_the_next(bench: Bench) -> None:
    row = loaded_and_changed(bench, "incremental")
    bench.observer = Interfering(Moment.STAGED, lambda: bench.set(row, load_full="true"))
    bench.succeed(row)
    assert bench.state(row).load_full == "true"
    # Only a replaced table loses what the source has deleted.
    bench.source.execute("DELETE FROM items WHERE id % 3 = 0")
    bench.succeed(row)
    assert bench.state(row).load_full in (None, "false")
    healthy(bench, row)


def test_load_full_taken_back_and_asked_for_again_stays(bench: Bench) -> None:
    row = loaded_and_changed(bench, "incremental")
    bench.set(row, load_full="true")
    bench.observer = Interfering(Moment.STAGED, lambda: bench.set(row, load_full="yes"))
    result = bench.succeed(row)
    assert "load_full" in result.message
    assert bench.state(row).load_full == "yes"
    healthy(bench, row)


def test_an_edited_strategy_is_the_next_load_s(bench: Bench) -> None:
    row = loaded_and_changed(bench, "incremental")
    bench.observer = Interfering(Moment.STAGED, lambda: bench.set(row, load_strategy="full"))
    bench.succeed(row)
    assert bench.state(row).load_strategy == "full"
    bench.source.execute("DELETE FROM items WHERE id % 3 = 0")
    bench.succeed(row)
    healthy(bench, row)


def test_a_row_that_is_switched_off_finishes_its_load(bench: Bench) -> None:
    row = loaded_and_changed(bench, "full")
    bench.observer = Interfering(Moment.CONNECTED, lambda: bench.set(row, is_active=False))
    bench.succeed(row)
    assert bench.state(row).is_active is False
    healthy(bench, row)


@pytest.mark.parametrize("strategy", ["full", pytest.param("incremental", marks=pytest.mark.faults)])
def test_a_row_that_is_deleted_stops_its_load(bench: Bench, strategy: str) -> None:
    row = loaded_and_changed(bench, strategy)
    before = commits(bench)
    moment = Moment.STAGED if strategy == "incremental" else Moment.PLANNED

    def delete() -> None:
        with bench.control.begin() as connection:
            connection.execute(text("DELETE FROM control.table_control WHERE config_id = :id"), {"id": row})

    ids = bench.claim(row)
    bench.observer = Interfering(moment, delete)
    result = run_load(bench.context, ids)
    # It may have published before it heard of it; it has not succeeded, and its record has an end.
    assert result.status is None
    assert "deleted" in result.message
    reap(bench.control, run_api=None, limits=ReapLimits(startup=0))
    with bench.control.begin() as connection:
        statement = text("SELECT load_status, load_end_time FROM control.historical_metadata WHERE id = :id")
        status, ended = connection.execute(statement, {"id": ids.metadata_id}).one()
    assert status == "Failed"
    assert ended is not None
    assert len(commits(bench)) <= len(before) + 1
    assert not bench.stages()


#: What is done to the source, and what the load then says; the target keeps what it has.
CHANGES: dict[str, tuple[str, str, str]] = {
    "table dropped": ("full", "DROP TABLE items", "items"),
    "cursor dropped": ("incremental", "ALTER TABLE items DROP updated_at", "updated_at"),
    "key dropped": ("incremental", "ALTER TABLE items DROP id", "id"),
    "cursor retyped": ("incremental", "ALTER TABLE items ALTER updated_at TYPE text", "updated_at"),
    "column retyped": ("incremental", "ALTER TABLE items ALTER name TYPE bytea USING ''", "name"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_source_changes_before_it_is_read(bench: Bench, change: str) -> None:
    strategy, statement, named = CHANGES[change]
    row = loaded_and_changed(bench, strategy)
    before = (bench.target_rows(), len(commits(bench)))
    bench.observer = Interfering(Moment.CONNECTED, lambda: bench.source.execute(statement))
    failed = bench.fail(row)
    assert named in failed.message
    failure = bench.history(row)[-1].failure
    assert failure["transient"] is False
    assert failure.get("fix"), failure
    assert (bench.target_rows(), len(commits(bench))) == before
    assert not bench.stages()


@pytest.mark.parametrize(
    "statement",
    ["TRUNCATE items", pytest.param("ALTER TABLE items ALTER name TYPE varchar", marks=pytest.mark.faults)],
)
def test_a_source_that_is_rebuilt_at_the_load_s_beginning_is_read_as_it_is_then(
    bench: Bench, statement: str
) -> None:
    """A snapshot from before it had waited for the table would show it empty."""
    row = loaded_and_changed(bench, "full")
    with psycopg.connect(bench.server.url(bench.source.info.dbname)) as etl:
        etl.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM items")
        etl.execute(statement)
        etl.execute("DELETE FROM items; INSERT INTO items SELECT id + 10000, name, updated_at FROM kept")
        results: list[Any] = []
        load = threading.Thread(target=lambda: results.append(bench.load(row)))
        load.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'items'::regclass"
        eventually("the load's wait", lambda: bench.source.execute(waiting).fetchone() == (1,))
    load.join()
    assert [result.status for result in results] == [LoadStatus.SUCCEEDED], results
    healthy(bench, row)


@pytest.mark.parametrize("strategy", ["full", "incremental"])
@pytest.mark.parametrize("statement", ["DROP TABLE items", "ALTER TABLE items DROP name"])
def test_the_source_cannot_change_while_it_is_read(bench: Bench, strategy: str, statement: str) -> None:
    row = loaded_and_changed(bench, strategy)
    refused: list[Any] = []

    def change() -> None:
        bench.source.execute("SET lock_timeout = '500ms'")
        try:
            bench.source.execute(statement)
        except psycopg.errors.LockNotAvailable as error:
            refused.append(error)

    bench.observer = Interfering(Moment.PLANNED, change)
    bench.succeed(row)
    assert refused, "the load's snapshot does not hold the table"
    healthy(bench, row)
