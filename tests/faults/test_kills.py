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

#: A full load stages nothing.
KILLS = [
    (strategy, str(moment))
    for strategy in ("full", "incremental")
    for moment in MOMENTS
    if (strategy, moment) != ("full", Moment.STAGED)
]
SAMPLE = {
    ("full", "planned", True),
    ("full", "published", False),
    ("incremental", "staged", False),
    ("incremental", "publishing", True),
    ("incremental", "published", False),
    ("incremental", "settling", True),
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
    row = row_of(bench, strategy)
    if not first:
        bench.succeed(row)
        change_items(bench, 1)
    return row


@pytest.mark.parametrize(("strategy", "moment", "first"), MATRIX)
def test_killed_at_a_moment(bench: Bench, control_url: str, strategy: str, moment: str, first: bool) -> None:
    row = _prepare(bench, strategy, first=first)
    ids = kill_at(bench, control_url, row, moment)
    assert published(bench, ids) == (moment in (Moment.PUBLISHED, Moment.SETTLING))
    # The source changes between accident and next load, so that a commit cannot pass for another.
    change_items(bench, 2)
    bench.succeed(row)
    healthy(bench, row)
    killed, last = bench.history(row)[-2:]
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
    change_items(bench, 2)
    bench.succeed(row)
    healthy(bench, row)


@pytest.mark.faults
@pytest.mark.parametrize("remote", [None, ""], ids=["connect", "classic"])
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("strategy", ["full", "incremental"])
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
    change_items(bench, 2)
    bench.succeed(row)
    healthy(bench, row)


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
