"""The control database goes away during a load: for a while, and for longer than the lease lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.conftest import Server
from tests.faults.accident import Interfering, commits, give_up, healthy
from tests.faults.items import (
    change_items,
    closed_gate,
    held_up,
    make_gate,
    make_items,
    readers,
    row_of,
)
from tests.waiting import eventually


@contextmanager
def _outages() -> Iterator[list[threading.Timer]]:
    """Timers that start a server again; all have done so when the block ends."""
    timers: list[threading.Timer] = []
    yield timers
    for timer in timers:
        timer.join()


@pytest.mark.parametrize(
    ("strategy", "moment", "seconds"),
    [
        ("incremental", Moment.SETTLING, 4),
        pytest.param("incremental", Moment.STARTED, 45, marks=pytest.mark.faults),
        pytest.param("incremental", Moment.STAGED, 45, marks=pytest.mark.faults),
        pytest.param("full", Moment.PUBLISHING, 45, marks=pytest.mark.faults),
        pytest.param("full", Moment.SETTLING, 45, marks=pytest.mark.faults),
    ],
)
def test_a_load_survives_an_outage(
    away_control: Bench, spare: Server, strategy: str, moment: Moment, seconds: int
) -> None:
    bench = away_control
    make_items(bench)
    row = row_of(bench, strategy)
    with _outages() as timers:

        def take_away() -> None:
            spare.stop()
            timers.append(threading.Timer(seconds, spare.start))
            timers[0].start()

        bench.observer = Interfering(moment, take_away)
        result = bench.succeed(row)
    assert result.receipt.rows_inserted == 2000
    healthy(bench, row)
    change_items(bench, 1)
    assert bench.succeed(row).receipt.fence_version is None, "nothing was owed"
    healthy(bench, row)


#: Stops its own work three seconds after the last heartbeat that got through.
SHORT = LeaseTimes(beat=0.3, lease=3.0, grace=1.0, margin=1.0, retry=0.3)


def test_a_loader_that_cannot_renew_its_lease_stops_its_own_work(away_control: Bench, spare: Server) -> None:
    bench = away_control
    make_gate(bench)
    row = row_of(bench, "full")
    bench.succeed(row)
    change_items(bench, 1, "base")
    before = commits(bench)
    ids = bench.claim(row)
    with closed_gate(bench) as gate:
        loading, results = _load_beside(bench, ids)
        eventually("a read at the gate", lambda: held_up(bench, ids))
        spare.stop()
        # The read stands at the gate, and so it would for ever.
        loading.join(60)
        assert not loading.is_alive(), "it went on without a lease"
        eventually("the end of its reads", lambda: readers(bench, ids) == 0)
        gate.open()
    time.sleep(2)
    assert commits(bench) == before
    (result,) = results
    assert result.status is None
    spare.start()
    give_up(bench, row)
    bench.succeed(row)
    healthy(bench, row)


def _load_beside(bench: Bench, ids: LoadIds) -> tuple[threading.Thread, list[Result]]:
    worker, results = replace(bench.worker, times=SHORT), []
    thread = threading.Thread(target=lambda: results.append(run_load(worker, ids)))
    thread.start()
    return thread, results


@pytest.mark.faults
def test_an_outage_after_the_commit_outlasts_the_lease(away_control: Bench, spare: Server) -> None:
    bench = away_control
    make_items(bench)
    row = row_of(bench, "incremental")
    ids = bench.claim(row)
    bench.observer = Interfering(Moment.SETTLING, spare.stop)
    result = run_load(replace(bench.worker, times=SHORT), ids)
    assert result.status is None, "nobody knows, and nobody says Succeeded"
    spare.start()
    give_up(bench, row)
    change_items(bench, 1)
    bench.succeed(row)
    healthy(bench, row)
    published, last = bench.history(row)
    assert (published.load_status, published.adopted_by) == (LoadStatus.FAILED, last.id)
