"""A loader that is frozen, overtaken and continued: it ends by itself and harms nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds
from tests.bench import Bench
from tests.faults.accident import Victim, commits, give_up, healthy, kill_at, published, victim
from tests.faults.items import change_items, make_items, row_of
from tests.faults.victim import CLAIMED

#: No heartbeat within a test: only target and control database can tell the loader.
BLIND = {"beat": 3600.0}
#: It renews its lease until it is frozen, sleeps past the lease's end, and knows by its own clock.
LATE = {"beat": 0.2, "lease": 10.0, "grace": 0.5, "margin": 0.5}
#: It sleeps for less, and hears that its row is no longer its own as soon as it wakes up.
BEATING = {"beat": 0.2}

FREEZES = [
    *(
        (strategy, str(moment))
        for strategy in ("full", "incremental")
        for moment in (CLAIMED, *Moment)
        if moment not in (Moment.CHUNKED, Moment.SETTLED) and (strategy, moment) != ("full", Moment.STAGED)
    ),
    ("chunked_backfill", str(Moment.CHUNKED)),
]
SAMPLE = {("full", "publishing", "blind"), ("incremental", "settling", "blind")}
MATRIX = [
    pytest.param(
        strategy,
        moment,
        times,
        id=f"{strategy}-{moment}-{name}",
        marks=() if (strategy, moment, name) in SAMPLE else pytest.mark.faults,
    )
    for strategy, moment in FREEZES
    for name, times in (("blind", BLIND), ("late", LATE))
]


def _prepare(bench: Bench, control_url: str, strategy: str, moment: str) -> int:
    make_items(bench)
    row = row_of(bench, strategy)
    if moment == Moment.CHUNKED:
        # Several months are several chunks, and the target is absent: each is committed by itself.
        change_items(bench, 1)
        return row
    bench.succeed(row)
    change_items(bench, 1)
    if moment == Moment.FENCED:
        # Only who follows an attempt that nobody settled makes a fence, and here there is something to adopt.
        kill_at(bench, control_url, row, Moment.PUBLISHED)
    return row


@contextmanager
def frozen(
    bench: Bench, control_url: str, ids: LoadIds, moment: str, times: dict[str, float]
) -> Iterator[Victim]:
    """Yield a loader that is frozen at the moment; it goes on to its end when the block ends."""
    with victim(bench, control_url, ids, moment=moment, signal="SIGSTOP", **times) as stale:
        stale.wait_for(f"moment {moment}")
        stale.wait_until_frozen()
        late = time.monotonic() + times["lease"] + times["grace"] if times is LATE else 0.0
        yield stale
        time.sleep(max(0.0, late - time.monotonic()))
        stale.thaw()
        stale.end()
    assert stale.process.returncode == 0, stale.said


@pytest.mark.parametrize(("strategy", "moment", "times"), MATRIX)
def test_frozen_at_a_moment(
    bench: Bench, control_url: str, strategy: str, moment: str, times: dict[str, float]
) -> None:
    row = _prepare(bench, control_url, strategy, moment)
    ids = bench.claim(row)
    with frozen(bench, control_url, ids, moment, times) as stale:
        give_up(bench, row)
        change_items(bench, 2)
        bench.succeed(row)
        before = commits(bench)
    assert "ended None" in stale.said
    # It says who it is, and that it is over or was late.
    assert f"Load {ids.metadata_id} " in stale.said or "could not be renewed" in stale.said, stale.said
    assert commits(bench) == before
    assert published(bench, ids) == (moment in (Moment.PUBLISHED, Moment.CHUNKED, Moment.SETTLING))
    if moment == Moment.CHUNKED:
        # The backfill's bound was frozen before the change: what came after is the next load's.
        bench.succeed(row)
    healthy(bench, row)
    bench.succeed(row)
    healthy(bench, row)


@pytest.mark.faults
@pytest.mark.parametrize("times", [BLIND, LATE, BEATING], ids=["blind", "late", "beating"])
def test_frozen_after_its_settlement(bench: Bench, control_url: str, times: dict[str, float]) -> None:
    make_items(bench)
    row = row_of(bench, "incremental")
    ids = bench.claim(row)
    with frozen(bench, control_url, ids, Moment.SETTLED, times) as late:
        # Nothing is left to do for it, and nobody has to wait until it knows.
        change_items(bench, 1)
        assert bench.succeed(row).receipt.fence_version is None
        before, state = commits(bench), bench.state(row)
    assert "ended Succeeded" in late.said
    assert commits(bench) == before
    assert bench.state(row) == state
    healthy(bench, row)
