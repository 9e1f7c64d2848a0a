"""Several loads one after another, and loads that are not ours to run."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds, process_tables, run_load
from tests.bench import Bench


def test_one_table_s_failure_never_stops_the_next(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    loads = [bench.claim(bench.row("gone")), bench.claim(bench.row("items"))]
    results = process_tables(bench.worker, loads)
    assert [result.status for result in results] == [LoadStatus.FAILED, LoadStatus.SUCCEEDED]


def test_a_load_that_was_run_already_is_not_run_again(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row()
    ids = bench.claim(row)
    assert run_load(bench.worker, ids).status is LoadStatus.SUCCEEDED
    version = bench.history(row)[0].target_version
    again = run_load(bench.worker, ids)
    assert again.status is None
    assert "is over" in again.message
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert found.version == version


def test_a_load_of_another_epoch_is_refused(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    ids = bench.claim(bench.row())
    stale = LoadIds(metadata_id=ids.metadata_id, epoch=ids.epoch + 1)
    assert run_load(bench.worker, stale).status is None
    assert bench.engine.inspect(bench.target(), "nobody") is None


def test_an_interrupt_settles_the_load_and_goes_on_up(bench: Bench) -> None:
    class Interrupting:
        def reached(self, config: LoadConfig, moment: Moment) -> None:
            if moment is Moment.PLANNED:
                raise KeyboardInterrupt

    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    bench.observer = Interrupting()
    row = bench.row()
    with pytest.raises(KeyboardInterrupt):
        bench.load(row)
    assert bench.state(row).last_status == "Failed"
    assert bench.history(row)[0].load_status == "Cancelled"
