"""Accident after accident, at random; in the end target equals source."""

from __future__ import annotations

import random
import signal

import pytest

from airflow_dataloader.loader.run import LoadIds
from tests.bench import Bench
from tests.faults.accident import give_up, healthy, victim
from tests.faults.items import change_items, make_items, row_of
from tests.faults.kill_matrix import KILLS

MORE = ("full", "append_only", "rolling", "check_and_load", "chunked_backfill")


@pytest.mark.parametrize(
    "strategy",
    ["incremental", *(pytest.param(name, marks=pytest.mark.faults) for name in MORE)],
)
@pytest.mark.parametrize(
    ("seed", "accidents"),
    [(1, 3), *(pytest.param(seed, 12, marks=pytest.mark.faults) for seed in (2, 3))],
)
def test_soak(bench: Bench, control_url: str, strategy: str, seed: int, accidents: int) -> None:
    chance = random.Random(f"{strategy} {seed}")
    make_items(bench)
    row = row_of(bench, strategy)
    killed = 0
    for number in range(1, accidents + 1):
        ids = bench.claim(row)
        # The first one never comes too late.
        delay = 0.0 if number == 1 else chance.choice((0.0, chance.uniform(0.01, 2.0)))
        moment = chance.choice([kill.moment for kill in KILLS if kill.told and kill.strategy == strategy])
        killed += _have_an_accident(bench, control_url, ids, moment, delay)
        if bench.state(row).last_status != "Succeeded":
            give_up(bench, row)
        if number == 1 or chance.random() < 0.7:
            change_items(bench, number, strategy=strategy)
        if strategy in {"full", "rolling"} and chance.random() < 0.3:
            bench.source.execute(f"DELETE FROM items WHERE id % 7 = {chance.randrange(7)}")
        if chance.random() < 0.25:
            _catch_up(bench, row, strategy)
            bench.set(row, load_strategy=strategy)
    _catch_up(bench, row, strategy)
    assert killed, "no accident happened"


def _catch_up(bench: Bench, row: int, strategy: str) -> None:
    # A backfill's bound may have been frozen before the last change.
    for _ in range(2 if strategy == "chunked_backfill" else 1):
        bench.succeed(row)
    healthy(bench, row)


def _have_an_accident(bench: Bench, control_url: str, ids: LoadIds, moment: str, delay: float) -> bool:
    """Return whether the loader died of it; a late one may find it gone."""
    print(f"load {ids.metadata_id}: killed {delay:.2f} s after {moment}")
    with victim(bench, control_url, ids, moment=moment, delay=delay) as dying:
        dying.end()
        return dying.process.returncode == -signal.SIGKILL
