"""The control database goes away during a load: for a while, and for longer than the lease lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from airflow_dataloader.core.selector import Selector, parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.local import load_locally
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import run_load
from tests.bench import Bench
from tests.conftest import Server
from tests.factories import add_row, add_source
from tests.faults.accident import Beside, commits, give_up, healthy, published
from tests.faults.items import (
    change_items,
    closed_gate,
    held_up,
    make_gate,
    make_items,
    readers,
    row_of,
)
from tests.integration.control.drive import LONG_AGO
from tests.integration.loader.test_target import forget_settlement
from tests.observers import Interfering
from tests.waiting import eventually


@contextmanager
def _outage(spare: Server, seconds: int) -> Iterator[Callable[[], None]]:
    """Yield what takes the server away for so long; it is back when the block ends."""
    timers: list[threading.Timer] = []

    def take_away() -> None:
        spare.stop()
        timers.append(threading.Timer(seconds, spare.start))
        timers[0].start()

    try:
        yield take_away
    finally:
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
    with _outage(spare, seconds) as take_away:
        bench.observer = Interfering(moment, take_away)
        result = bench.succeed(row)
    assert result.receipt.rows_inserted == 2000
    healthy(bench, row)
    change_items(bench, 1)
    assert bench.succeed(row).receipt.fence_version is None, "nothing was owed"
    healthy(bench, row)


@pytest.mark.parametrize("seconds", [4, pytest.param(45, marks=pytest.mark.faults)])
def test_a_repair_survives_an_outage(away_control: Bench, spare: Server, seconds: int) -> None:
    bench = away_control
    make_items(bench)
    row = row_of(bench, "incremental")
    first = bench.succeed(row)
    forget_settlement(bench, row, None)
    with _outage(spare, seconds) as take_away:
        bench.observer = Interfering(Moment.FENCED, take_away)
        result = bench.succeed(row)
    assert result.receipt.adopted == first.metadata_id
    healthy(bench, row)


class _Once:
    """Does something the first time that it is told of anything."""

    def __init__(self, action: Callable[[], None]) -> None:
        self._action: Callable[[], None] | None = action

    def __call__(self, *_: object) -> None:
        action, self._action = self._action, None
        if action is not None:
            action()


@pytest.mark.parametrize("selector", [None, parse("source:shop")])
def test_rows_get_their_turn_after_an_outage_between_two(
    spare_control: Engine, spare: Server, selector: Selector | None
) -> None:
    control = spare_control
    add_source(control)
    # The claim itself settles such rows.
    rows = {add_row(control, load_strategy="sideways", next_load_date_time=LONG_AGO) for _ in range(2)}
    with _outage(spare, 3) as take_away:
        ended = load_locally(control, _no_worker, selector=selector, report=_Once(take_away))
    assert {load.config_id for load in ended} == rows
    assert all("sideways" in load.message for load in ended)


def test_rows_are_found_after_an_outage_while_they_are_looked_for(
    spare_control: Engine, spare: Server
) -> None:
    control = spare_control
    add_source(control)
    row = add_row(control, load_strategy="sideways", tags=["looked for"])
    with _outage(spare, 3) as take_away:
        once = _Once(take_away)

        def looking(connection: Any, cursor: Any, statement: str, *_: object) -> None:
            if "table_control.tags" in statement:
                once()

        event.listen(control, "before_cursor_execute", looking)
        (ended,) = load_locally(control, _no_worker, selector=parse('tag:"looked for"'))
    assert (ended.config_id, ended.status) == (row, LoadStatus.FAILED)


def _no_worker() -> LoaderContext:
    raise EngineFailed("Nothing is to be loaded.")


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
        loading = Beside(bench, ids, SHORT)
        eventually("a read at the gate", lambda: held_up(bench, ids))
        spare.stop()
        # The read stands at the gate, and so it would for ever.
        assert loading.result().status is None
        eventually("the end of its reads", lambda: readers(bench, ids) == 0)
        gate.open()
    assert commits(bench) == before
    spare.start()
    give_up(bench, row)
    bench.succeed(row)
    healthy(bench, row)
    assert not published(bench, ids), "its write landed late"


@pytest.mark.faults
def test_an_outage_after_the_commit_outlasts_the_lease(away_control: Bench, spare: Server) -> None:
    bench = away_control
    make_items(bench)
    row = row_of(bench, "incremental")
    ids = bench.claim(row)
    bench.observer = Interfering(Moment.SETTLING, spare.stop)
    result = run_load(replace(bench.context, times=SHORT), ids)
    assert result.status is None, "nobody knows, and nobody says Succeeded"
    spare.start()
    give_up(bench, row)
    change_items(bench, 1)
    bench.succeed(row)
    healthy(bench, row)
    dead, last = bench.history(row)
    assert (dead.load_status, dead.adopted_by) == (LoadStatus.FAILED, last.id)
