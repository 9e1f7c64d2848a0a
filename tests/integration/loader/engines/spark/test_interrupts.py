"""Stopping a statement from another thread: what was not committed never will be."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.exceptions import EngineFailed, Fenced, OutcomeUnknown
from airflow_dataloader.loader.engines.protocol import Deduplication, Written
from tests.integration.loader.engines.spark.workshop import APP, Attempt, Workshop, commit
from tests.sessions import PASSES_THE_GATE, Gate, at_the_gate, sleeping, wake
from tests.waiting import until

if TYPE_CHECKING:
    import psycopg

COLUMNS = {"id": "int", "at": "int"}
BY_ID = Deduplication(keys=("id",), cursor="at")
SLEEPS = "SELECT 7 AS id, length(pg_sleep(120)::text) AS at"
#: Seconds that a write which escaped its interrupt would need to commit.
ESCAPE = 1.5


@pytest.mark.parametrize("verb", ["overwrite", "stage"])
def test_a_read_that_hangs_at_the_source_is_stopped(
    workshop: Workshop, source_db: psycopg.Connection, verb: str
) -> None:
    engine = workshop.another()
    name = workshop.table() if verb == "overwrite" else workshop.stage_name
    rows = engine.read(workshop.query(COLUMNS, SLEEPS))
    attempt = Attempt(
        lambda: (
            engine.overwrite(name, rows, commit(1))
            if verb == "overwrite"
            else engine.stage(rows, name, BY_ID)
        )
    )
    until(lambda: sleeping(source_db))
    engine.interrupt()
    # The source's query goes on until somebody ends it there; the engine does not wait for that.
    assert type(attempt.join().error) is EngineFailed, attempt.error
    assert sleeping(source_db)
    wake(source_db)
    time.sleep(ESCAPE)
    assert engine.inspect(name, APP) is None
    engine.overwrite(name, engine.read(workshop.plan(COLUMNS, [(1, 1)])), commit(2))
    assert workshop.rows(name) == [(1, 1)]


@pytest.mark.parametrize("verb", ["overwrite", "merge"])
def test_at_any_moment_a_write_has_landed_or_never_will(workshop: Workshop, verb: str) -> None:
    engine, target = workshop.another(), workshop.table()
    workshop.fill(target, COLUMNS, [(1, 1)])
    landed = [1]
    for epoch in range(2, 9):
        plan = workshop.plan(COLUMNS, [(epoch, epoch)])
        if verb == "merge":
            stage = engine.stage(engine.read(plan), workshop.stage_name, BY_ID)
            attempt = Attempt(lambda: engine.merge(target, stage, commit(epoch), BY_ID))  # noqa: B023
        else:
            attempt = Attempt(lambda: engine.overwrite(target, engine.read(plan), commit(epoch)))  # noqa: B023
        until(lambda: engine._context.interrupts.busy or attempt.ended)  # noqa: B023
        time.sleep(0.06 * (epoch - 2))
        engine.interrupt()
        attempt.join()
        assert not isinstance(attempt.error, Fenced | OutcomeUnknown), attempt.error
        if isinstance(attempt.result, Written):
            landed.append(epoch)
    time.sleep(ESCAPE)
    found = workshop.engine.inspect(target, APP)
    assert found is not None
    assert sorted(entry.commit.epoch for entry in found.commits) == landed


def test_an_interrupt_of_nothing_returns(workshop: Workshop) -> None:
    workshop.engine.interrupt()
    workshop.fill(workshop.table(), COLUMNS, [(1, 1)])
    workshop.engine.interrupt()
    assert workshop.rows(workshop.table()) == [(1, 1)]


def test_sessions_do_not_interrupt_each_other(workshop: Workshop, source_db: psycopg.Connection) -> None:
    one, other = workshop.another(), workshop.another()
    gate = Gate(source_db)
    plan = workshop.query(COLUMNS, f"SELECT 7 AS id, length({PASSES_THE_GATE}::text) AS at")
    attempt = Attempt(lambda: one.overwrite(workshop.table(), one.read(plan), commit(1)))
    until(lambda: at_the_gate(source_db))
    other.interrupt()
    gate.open()
    assert attempt.join().error is None
    assert workshop.rows(workshop.table()) == [(7, 0)]
