"""A load's work between its start and its settlement: what it leaves behind when it breaks."""

from __future__ import annotations

from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.loader.execute import STRATEGIES
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.integration.loader.breaking import break_off
from tests.sessions import sessions
from tests.waiting import eventually


def test_every_strategy_can_be_run() -> None:
    assert set(STRATEGIES) == set(Strategy)


def test_a_load_that_breaks_leaves_no_connection_and_no_stage(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, at timestamptz)")
    bench.source.execute("INSERT INTO items VALUES (1, now())")
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    failed = break_off(bench, row, Moment.STAGED)
    assert "broken on purpose" in failed.message
    assert bench.stages() == []
    eventually("the end of its sessions", lambda: sessions(bench.source, "adl-%") == 0)


def test_the_failure_says_in_which_phase(bench: Bench) -> None:
    row = bench.row("never_made")
    bench.fail(row)
    failure = bench.history(row)[0].failure
    assert (failure["phase"], failure["sqlstate"]) == ("plan", "42P01")
