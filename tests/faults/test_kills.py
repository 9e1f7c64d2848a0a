"""SIGKILL of the loader's process: after the next load target equals source, no commit is repeated."""

from __future__ import annotations

import random

import pytest

from airflow_dataloader.loader.observer import Moment
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
from tests.faults.victim import CLAIMED

MOMENTS = (
    CLAIMED,
    *(moment for moment in Moment if moment not in (Moment.FENCED, Moment.SETTLED)),
)

STRATEGIES = ("full", "incremental", "append_only", "rolling", "check_and_load", "chunked_backfill")
#: Moments that a strategy never reaches: some stage nothing, and only one works in chunks.
NEVER = {(strategy, Moment.CHUNKED) for strategy in STRATEGIES[:-1]} | {
    ("full", Moment.STAGED),
    ("rolling", Moment.STAGED),
}
KILLS = [
    (strategy, str(moment))
    for strategy in STRATEGIES
    for moment in MOMENTS
    if (strategy, moment) not in NEVER
]
SAMPLE = {
    ("full", "planned", True),
    ("full", "published", False),
    ("incremental", "staged", False),
    ("incremental", "publishing", True),
    ("incremental", "published", False),
    ("incremental", "settling", True),
    ("append_only", "published", False),
    ("chunked_backfill", "chunked", True),
    ("chunked_backfill", "published", False),
}
MATRIX = [
    pytest.param(
        strategy,
        moment,
        first,
        id=f"{strategy}-{moment}-{'first' if first else 'later'} load",
        marks=() if (strategy, moment, first) in SAMPLE else pytest.mark.faults,
    )
    for strategy, moment in KILLS
    for first in (True, False)
]


def _prepare(bench: Bench, strategy: str, *, first: bool) -> int:
    make_items(bench)
    # Several months, so that a backfill has several chunks.
    change_items(bench, 1, strategy=strategy)
    change_items(bench, 2, strategy=strategy)
    row = row_of(bench, strategy)
    if not first:
        bench.succeed(row)
        change_items(bench, 3, strategy=strategy)
        # After a backfill the row is incremental; the next one replaces a target that is filled.
        bench.set(row, load_strategy=strategy)
    return row


def _end_well(bench: Bench, row: int, strategy: str) -> None:
    """Change the source, load, and insist that nothing is left of the accident."""
    change_items(bench, 4, strategy=strategy)
    # A backfill's bound was frozen before the change: what came after is the next load's.
    for _ in range(2 if strategy == "chunked_backfill" else 1):
        bench.succeed(row)
    healthy(bench, row)


@pytest.mark.parametrize(("strategy", "moment", "first"), MATRIX)
def test_killed_at_a_moment(bench: Bench, control_url: str, strategy: str, moment: str, first: bool) -> None:
    row = _prepare(bench, strategy, first=first)
    # The first commit of a backfill is not its end.
    chunked = strategy == "chunked_backfill" and moment == Moment.CHUNKED
    ids = kill_at(bench, control_url, row, moment, time=2 if chunked else 1)
    there = moment in (Moment.PUBLISHED, Moment.SETTLING) or (chunked and first)
    assert published(bench, ids) == there
    # The source changes between accident and next load, so that a commit cannot pass for another.
    change_items(bench, 4, strategy=strategy)
    bench.succeed(row)
    killed, last = bench.history(row)[-2:]
    if strategy == "chunked_backfill":
        # Its bound was frozen before the change: what came after is the next load's.
        bench.succeed(row)
    healthy(bench, row)
    if published(bench, ids):
        assert killed.adopted_by == last.id
    if moment != CLAIMED:
        assert last.receipt["fence_version"] is not None, "whoever started is fenced"
    # What was owed is paid: a load in peace makes one commit at most.
    assert bench.succeed(row).receipt.fence_version is None
    healthy(bench, row)


@pytest.mark.faults
@pytest.mark.parametrize(("strategy", "moment"), KILLS)
def test_killed_with_a_spark_of_its_own(bench: Bench, control_url: str, strategy: str, moment: str) -> None:
    row = _prepare(bench, strategy, first=False)
    kill_at(bench, control_url, row, moment, remote="")
    _end_well(bench, row, strategy)


@pytest.mark.faults
@pytest.mark.parametrize("remote", [None, ""], ids=["connect", "classic"])
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_while_it_publishes(
    bench: Bench, control_url: str, strategy: str, number: int, remote: str | None
) -> None:
    row = _prepare(bench, strategy, first=number % 2 == 0)
    # Whether the write lands is open; that nothing depends on it is the point.
    delay = random.Random(number).uniform(0.01, 1.5)
    ids = bench.claim(row)
    with victim(bench, control_url, ids, moment="publishing", delay=delay, remote=remote) as dying:
        dying.end()
    if bench.state(row).last_status != "Succeeded":
        give_up(bench, row)
    _end_well(bench, row, strategy)


@pytest.mark.parametrize(
    ("strategy", "remote"),
    [
        ("full", None),
        pytest.param("incremental", None, marks=pytest.mark.faults),
        pytest.param("full", "", marks=pytest.mark.faults),
        pytest.param("incremental", "", marks=pytest.mark.faults),
    ],
)
def test_killed_while_it_reads(bench: Bench, control_url: str, strategy: str, remote: str | None) -> None:
    make_gate(bench)
    row = row_of(bench, strategy)
    ids = bench.claim(row)
    with closed_gate(bench), victim(bench, control_url, ids, remote=remote) as dying:
        wait_until_held_up(bench, ids, dying)
        dying.kill()
        give_up(bench, row)
    change_items(bench, 2, "base")
    bench.succeed(row)
    healthy(bench, row)
