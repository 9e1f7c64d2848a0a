"""A loader that is frozen, overtaken and continued: it ends by itself and harms nothing."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.faults.accident import commits, give_up, healthy, published, victim
from tests.faults.items import change_items, make_items, row_of
from tests.faults.victim import CLAIMED

#: No heartbeat within a test: only target and control database can tell the loader.
BLIND = {"beat": 3600.0}
#: The lease is over as soon as the loader wakes up, and it knows by its own clock.
LATE = {"beat": 3600.0, "lease": 1.0, "grace": 0.5, "margin": 0.5}

FREEZES = [
    (strategy, str(moment))
    for strategy in ("full", "incremental")
    for moment in (CLAIMED, *Moment)
    if moment not in (Moment.FENCED, Moment.SETTLED) and (strategy, moment) != ("full", Moment.STAGED)
]
SAMPLE = {("full", "publishing", "blind"), ("incremental", "settling", "blind"), ("full", "planned", "late")}
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


@pytest.mark.parametrize(("strategy", "moment", "times"), MATRIX)
def test_frozen_at_a_moment(
    bench: Bench, control_url: str, strategy: str, moment: str, times: dict[str, float]
) -> None:
    make_items(bench)
    row = row_of(bench, strategy)
    bench.succeed(row)
    change_items(bench, 1)
    ids = bench.claim(row)
    with victim(bench, control_url, ids, moment=moment, signal="SIGSTOP", **times) as stale:
        stale.wait_for(f"moment {moment}")
        stale.wait_until_frozen()
        give_up(bench, row)
        change_items(bench, 2)
        bench.succeed(row)
        before = commits(bench)
        stale.thaw()
        said = stale.end()
    assert stale.process.returncode == 0, said
    assert "ended None" in said
    # It says who it is, and that it is over or was late.
    assert f"Load {ids.metadata_id} " in said or "could not be renewed" in said, said
    assert commits(bench) == before
    assert published(bench, ids) == (moment in (Moment.PUBLISHED, Moment.SETTLING))
    healthy(bench, row)
    bench.succeed(row)
    healthy(bench, row)
