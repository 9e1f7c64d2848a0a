"""A dead loader is not a dead write: a warm Spark Connect server finishes what a killed client has begun."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds, run_load
from tests.bench import Bench
from tests.faults.accident import Beside, give_up, healthy, published, victim
from tests.faults.items import (
    Gate,
    change_items,
    closed_gate,
    held_up,
    make_gate,
    readers,
    row_of,
    wait_until_held_up,
)
from tests.observers import Interfering
from tests.waiting import eventually


def _make_zombie(bench: Bench, control_url: str, row: int) -> LoadIds:
    """Kill a loader while the server reads and writes for it; the gate is closed."""
    ids = bench.claim(row)
    with victim(bench, control_url, ids) as dying:
        wait_until_held_up(bench, ids, dying)
        dying.kill()
    give_up(bench, row)
    time.sleep(1)
    assert held_up(bench, ids), "the server has noticed the end of its client"
    return ids


def _prepare(bench: Bench, *, first: bool) -> int:
    make_gate(bench)
    row = row_of(bench, "full")
    if not first:
        bench.succeed(row)
        change_items(bench, 1, "base")
    return row


def test_a_zombie_s_write_lands_before_the_fence_and_is_adopted(bench: Bench, control_url: str) -> None:
    row = _prepare(bench, first=True)
    with closed_gate(bench) as gate:
        ids = _make_zombie(bench, control_url, row)
        assert not published(bench, ids)
        gate.open()
        # Nobody waits for it, and yet it comes: this is the danger.
        eventually("the zombie's commit", lambda: published(bench, ids))
    change_items(bench, 2, "base")
    bench.succeed(row)
    healthy(bench, row)
    dead, last = bench.history(row)
    assert dead.adopted_by == last.id


@pytest.mark.parametrize("first", [pytest.param(True, marks=pytest.mark.faults), False])
def test_a_zombie_s_write_under_way_is_refused_by_the_fence(
    bench: Bench, control_url: str, first: bool
) -> None:
    row = _prepare(bench, first=first)
    with closed_gate(bench) as gate:
        ids = _make_zombie(bench, control_url, row)
        change_items(bench, 2, "base")
        bench.observer = Interfering(Moment.FENCED, lambda: _let_the_zombie_finish(bench, gate, ids))
        bench.succeed(row)
        assert bench.observer.done
    healthy(bench, row)
    assert not published(bench, ids)


def _let_the_zombie_finish(bench: Bench, gate: Gate, ids: LoadIds) -> None:
    assert held_up(bench, ids), "the zombie was not alive any more when the fence was made"
    gate.open()
    eventually("the end of the zombie's read", lambda: readers(bench, ids) == 0)
    # Time to write the last file and to try the commit; without a fence, it lands within that.
    time.sleep(5)


def test_what_a_zombie_still_reads_is_ended_at_the_source(bench: Bench, control_url: str) -> None:
    make_gate(bench)
    row = row_of(bench, "incremental")
    with closed_gate(bench) as gate:
        ids = _make_zombie(bench, control_url, row)
        bench.observer = Interfering(
            Moment.PLANNED, lambda: (eventually("its end", lambda: readers(bench, ids) == 0), gate.open())
        )
        bench.succeed(row)
        assert bench.observer.done
    healthy(bench, row)


def test_an_older_write_that_lands_during_a_later_one_does_not_stop_it(bench: Bench) -> None:
    make_gate(bench)
    row = row_of(bench, "full")
    first = bench.claim(row)
    run_load(bench.context, first)
    change_items(bench, 1, "base")
    ids = bench.claim(row)
    with closed_gate(bench) as gate:
        loading = Beside(bench, ids)
        eventually("a read at the gate", lambda: held_up(bench, ids))
        with closing(open_engine(EngineSettings(home=bench.home, remote=bench.remote))) as other:
            late = Commit(
                app_id=f"adl:{bench.installation}:{row}",
                epoch=first.epoch,
                step=2,
                metadata_id=first.metadata_id,
            )
            # Delta lets the first of the two land and refuses the second, whichever number is higher.
            other.fence(bench.target(), (), late)
        gate.open()
        result = loading.result()
    assert result.status is LoadStatus.SUCCEEDED, result
    healthy(bench, row)
