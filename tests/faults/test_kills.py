"""SIGKILL of the loader's process: after the next load target equals source, no commit is repeated."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds
from tests.bench import Bench
from tests.faults.accident import give_up, healthy, kill_at, published, victim
from tests.faults.items import (
    change_items,
    closed_gate,
    make_gate,
    make_items,
    row_of,
    wait_until_held_up,
)
from tests.faults.kill_matrix import KILLS, MOMENTS, PAGE, PROPERTY, READING, STRATEGIES, Kill, page
from tests.faults.victim import CLAIMED
from tests.observers import Interfering

SAMPLE = {
    Kill("full", "planned", first=True),
    Kill("full", "reading", first=True),
    Kill("full", "published", first=False),
    Kill("incremental", "staged", first=False),
    Kill("incremental", "publishing", first=True),
    Kill("incremental", "published", first=False),
    Kill("append_only", "published", first=False),
    Kill("chunked_backfill", "chunked", first=True),
}


def _prepare(bench: Bench, kill: Kill) -> int:
    if kill.moment == READING:
        make_gate(bench)
    else:
        make_items(bench)
    # Several months, so that a backfill has several chunks.
    _change(bench, kill, 1)
    _change(bench, kill, 2)
    row = row_of(bench, kill.strategy)
    if not kill.first:
        bench.succeed(row)
        _change(bench, kill, 3)
        if kill.strategy == "chunked_backfill":
            # The row is incremental by now; the next backfill replaces a target that is filled.
            bench.set(row, load_strategy=kill.strategy)
    return row


def _change(bench: Bench, kill: Kill, round_: int) -> None:
    change_items(bench, round_, "base" if kill.moment == READING else "items", strategy=kill.strategy)


@contextmanager
def _killed(
    bench: Bench, control_url: str, row: int, kill: Kill, remote: str | None = None
) -> Iterator[LoadIds]:
    """Load the row in a process that is killed at the moment, and give the load up."""
    if kill.moment == READING:
        ids = bench.claim(row)
        with closed_gate(bench) as gate:
            with victim(bench, control_url, ids, remote=remote) as dying:
                wait_until_held_up(bench, ids, dying)
                dying.kill()
                give_up(bench, row)
            # A warm server still reads for the dead one, and would publish for it before the fence.
            bench.observer = Interfering(Moment.FENCED, gate.open)
            yield ids
        return
    # The first commit of a backfill is not its end.
    chunked = kill.strategy == "chunked_backfill" and kill.moment == Moment.CHUNKED
    yield kill_at(bench, control_url, row, kill.moment, time=2 if chunked else 1, remote=remote)


def _end_well(bench: Bench, row: int, kill: Kill) -> None:
    """Change the source, load, and insist that nothing is left of the accident."""
    _change(bench, kill, 4)
    # A backfill's bound was frozen before the change: what came after is the next load's.
    for _ in range(2 if kill.strategy == "chunked_backfill" else 1):
        bench.succeed(row)
    healthy(bench, row)


@pytest.mark.kill_matrix
@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(
            kill,
            id=f"{kill.strategy}-{kill.moment}-{'first' if kill.first else 'later'} load",
            marks=() if kill in SAMPLE else pytest.mark.faults,
        )
        for kill in KILLS
    ],
)
def test_killed_at_a_moment(
    bench: Bench, control_url: str, kill: Kill, record_property: Callable[[str, object], None]
) -> None:
    row = _prepare(bench, kill)
    with _killed(bench, control_url, row, kill) as ids:
        assert published(bench, ids) == kill.committed
        if kill.finalising:
            assert {chunk.committed_at is not None for chunk in bench.chunks(row)} == {True}
        # The source changes between accident and next load, so that a commit cannot pass for another.
        _change(bench, kill, 4)
        bench.succeed(row)
    killed, last = bench.history(row)[-2:]
    if kill.strategy == "chunked_backfill":
        # Its bound was frozen before the change: what came after is the next load's.
        bench.succeed(row)
    healthy(bench, row)
    if published(bench, ids):
        assert killed.adopted_by == last.id
    if kill.moment != CLAIMED:
        assert last.receipt["fence_version"] is not None, "whoever started is fenced"
    # What was owed is paid: a load in peace makes one commit at most.
    assert bench.succeed(row).receipt.fence_version is None
    healthy(bench, row)
    record_property(PROPERTY, tuple(kill))


def test_the_matrix_is_the_one_that_the_page_shows() -> None:
    assert PAGE.read_text() == page(KILLS), "run make faults, which writes the page"


#: Before and after these its own Spark does nothing, and its death with the loader changes nothing.
_SPARK_AT_WORK = MOMENTS[MOMENTS.index(READING) : MOMENTS.index(Moment.SETTLING)]


@pytest.mark.faults
@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(kill, id=f"{kill.strategy}-{kill.moment}")
        for kill in KILLS
        if not kill.first and kill.moment in _SPARK_AT_WORK
    ],
)
def test_killed_with_a_spark_of_its_own(bench: Bench, control_url: str, kill: Kill) -> None:
    row = _prepare(bench, kill)
    with _killed(bench, control_url, row, kill, remote=""):
        _end_well(bench, row, kill)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("number", "remote"),
    # A Spark of its own dies with the loader; a warm server may go on, and is met more often.
    [*((number, None) for number in range(4)), *((number, "") for number in range(2))],
    ids=lambda value: {None: "connect", "": "classic"}.get(value, value),
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_while_it_publishes(
    bench: Bench, control_url: str, strategy: str, number: int, remote: str | None
) -> None:
    kill = Kill(strategy, Moment.PUBLISHING, first=number % 2 == 0)
    row = _prepare(bench, kill)
    # Whether the write lands is open; that nothing depends on it is the point.
    delay = random.Random(number).uniform(0.01, 1.5)
    ids = bench.claim(row)
    with victim(bench, control_url, ids, moment="publishing", delay=delay, remote=remote) as dying:
        said = dying.end()
        assert "moment publishing\n" in said, said
    if bench.state(row).last_status != "Succeeded":
        give_up(bench, row)
    _end_well(bench, row, kill)
