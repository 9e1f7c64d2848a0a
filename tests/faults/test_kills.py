"""SIGKILL of the loader's process: after the next load target equals source, no commit is repeated."""

from __future__ import annotations

import random
from collections.abc import Callable

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
from tests.faults.kill_matrix import KILLS, PAGE, PROPERTY, STRATEGIES, Kill, page
from tests.faults.victim import CLAIMED

SAMPLE = {
    Kill("full", "planned", first=True),
    Kill("full", "published", first=False),
    Kill("incremental", "staged", first=False),
    Kill("incremental", "publishing", first=True),
    Kill("incremental", "published", first=False),
    Kill("append_only", "published", first=False),
    Kill("chunked_backfill", "chunked", first=True),
}


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
    strategy, moment, first = kill
    row = _prepare(bench, strategy, first=first)
    # The first commit of a backfill is not its end.
    chunked = strategy == "chunked_backfill" and moment == Moment.CHUNKED
    ids = kill_at(bench, control_url, row, moment, time=2 if chunked else 1)
    assert published(bench, ids) == kill.committed
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
    record_property(PROPERTY, tuple(kill))


def test_the_matrix_is_the_one_that_the_page_shows() -> None:
    assert PAGE.read_text() == page(KILLS), "run make faults, which writes the page"


@pytest.mark.faults
@pytest.mark.parametrize(
    ("strategy", "moment"), [(kill.strategy, kill.moment) for kill in KILLS if not kill.first]
)
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
        said = dying.end()
        assert "moment publishing\n" in said, said
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
