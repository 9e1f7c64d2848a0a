"""What a load may cost: Delta commits and round trips to the control database, counted and not timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import run_load
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.faults.accident import kill_at

#: From the claim to the settlement, beside heartbeats.
ROUND_TRIPS = 10

STRATEGIES = {
    "full": {"load_strategy": "full"},
    "incremental": {
        "load_strategy": "incremental",
        "primary_key_cols": "id",
        "incremental_column": "updated_at",
        "lookback": "0 seconds",
    },
}


@dataclass(kw_only=True)
class Cost:
    """What one load did beside its result."""

    result: Result
    #: Commits to the target and to the load's stage.
    target: int
    stage: int
    round_trips: int


class StageWatcher:
    """Counts the stage's commits while it exists: it is gone when the load has ended."""

    def __init__(self, schema: Path) -> None:
        self._schema = schema
        self.commits = 0

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Look at every moment."""
        found = sum(commits(stage) for stage in self._schema.glob("_adl_stage_*"))
        self.commits = max(self.commits, found)


def commits(table: Path) -> int:
    """Count a table's commits by its log."""
    return len(list((table / "_delta_log").glob("[0-9]*.json")))


def cost(bench: Bench, config_id: int) -> Cost:
    """Load the row from its claim on, without one heartbeat, and count."""
    schema = bench.home / "warehouse" / "bronze" / bench.schema
    watcher = StageWatcher(schema)
    context = replace(bench.context, observer=watcher, times=LeaseTimes(beat=3_600.0))
    committed, trips = commits(schema / "items"), round_trips(bench.control)
    result = run_load(context, bench.claim(config_id))
    assert result.status == "Succeeded", result.message
    return Cost(
        result=result,
        target=commits(schema / "items") - committed,
        stage=watcher.commits,
        round_trips=round_trips(bench.control) - trips,
    )


@pytest.fixture(params=STRATEGIES)
def row(request: pytest.FixtureRequest, bench: Bench) -> int:
    """A row of each strategy, and ten items to load."""
    bench.source.execute(
        "CREATE TABLE items (id integer PRIMARY KEY, name text, updated_at timestamptz DEFAULT now())"
    )
    bench.source.execute("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 10) i")
    return bench.row(**STRATEGIES[request.param])


def change(bench: Bench) -> None:
    """Make one item differ."""
    bench.source.execute("UPDATE items SET name = name || '!', updated_at = clock_timestamp() WHERE id = 1")


def staged(bench: Bench, row: int) -> int:
    """Return how many commits the row's strategy needs for its stage."""
    return int(bench.state(row).load_strategy == "incremental")


def test_the_first_load_publishes_once(bench: Bench, row: int) -> None:
    first = cost(bench, row)
    assert (first.target, first.stage) == (1, staged(bench, row))
    assert 0 < first.round_trips <= ROUND_TRIPS


def test_a_later_load_publishes_once(bench: Bench, row: int) -> None:
    bench.succeed(row)
    change(bench)
    later = cost(bench, row)
    assert (later.target, later.stage) == (1, staged(bench, row))
    assert 0 < later.round_trips <= ROUND_TRIPS
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("moment", [Moment.PUBLISHING, Moment.PUBLISHED])
def test_a_load_after_a_killed_one_fences_too(
    bench: Bench, control_url: str, row: int, moment: Moment
) -> None:
    bench.succeed(row)
    change(bench)
    kill_at(bench, control_url, row, moment)
    change(bench)
    after = cost(bench, row)
    assert after.result.receipt.fence_version is not None
    assert (after.target, after.stage) == (2, staged(bench, row))
    assert 0 < after.round_trips <= ROUND_TRIPS
    assert bench.target_rows() == bench.source_rows()
    # What was owed is paid: the next one does not fence again.
    change(bench)
    assert cost(bench, row).target == 1


@pytest.mark.parametrize("row", ["incremental"], indirect=True)
def test_nothing_new_is_not_published(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.source.execute("DELETE FROM items")
    again = cost(bench, row)
    assert (again.target, again.stage) == (0, 1)
    assert 0 < again.round_trips <= ROUND_TRIPS
