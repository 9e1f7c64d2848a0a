"""A write lands once, or not at all, and says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Bounds
from airflow_dataloader.exceptions import Fenced
from airflow_dataloader.loader.engines.protocol import Deduplication
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from tests.integration.loader.engines.spark.workshop import APP, Attempt, Workshop, commit
from tests.sessions import PASSES_THE_GATE, Gate, at_the_gate
from tests.waiting import until

COLUMNS = {"id": "int", "at": "int"}
BY_ID = Deduplication(keys=("id",), cursor="at")

Write = Callable[[Workshop, SparkEngine, Commit], Any]


def _overwrite(workshop: Workshop, engine: SparkEngine, identity: Commit) -> Any:
    return engine.overwrite(workshop.table(), engine.read(workshop.plan(COLUMNS, [(7, 7)])), identity)


def _append(workshop: Workshop, engine: SparkEngine, identity: Commit) -> Any:
    return engine.append(workshop.table(), engine.read(workshop.plan(COLUMNS, [(7, 7)])), identity)


def _slice(workshop: Workshop, engine: SparkEngine, identity: Commit) -> Any:
    plan = workshop.plan(COLUMNS, [(7, 7)])
    return engine.replace_slice(workshop.table(), engine.read(plan), "id = 7", identity)


def _merge(workshop: Workshop, engine: SparkEngine, identity: Commit) -> Any:
    stage = engine.stage(engine.read(workshop.plan(COLUMNS, [(7, 7)])), workshop.stage_name, BY_ID)
    return engine.merge(workshop.table(), stage, identity, BY_ID)


WRITES = pytest.mark.parametrize("write", [_overwrite, _append, _slice, _merge])


@WRITES
def test_the_same_commit_again_does_nothing_and_reports_what_it_did(workshop: Workshop, write: Write) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1)])
    first = write(workshop, workshop.engine, commit(2, window=Bounds(high="7")))
    rows = workshop.rows(workshop.table())
    second = write(workshop, workshop.another(), commit(2, window=Bounds(high="7")))
    assert replace(first, values_replaced=None) == second
    assert first.rows_inserted == 1
    assert workshop.rows(workshop.table()) == rows
    assert workshop.version(workshop.table()) == first.version


@WRITES
def test_an_older_commit_is_fenced_and_changes_nothing(workshop: Workshop, write: Write) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1)], epoch=3)
    with pytest.raises(Fenced, match="later load"):
        write(workshop, workshop.engine, commit(2))
    assert workshop.rows(workshop.table()) == [(1, 1)]
    assert workshop.version(workshop.table()) == 0


@WRITES
def test_a_fence_stops_what_comes_after_it(workshop: Workshop, write: Write) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1)])
    fenced = workshop.another().fence(workshop.table(), workshop.plan(COLUMNS).columns, commit(3, 0))
    assert fenced == 1
    with pytest.raises(Fenced):
        write(workshop, workshop.engine, commit(2))
    assert workshop.rows(workshop.table()) == [(1, 1)]
    assert write(workshop, workshop.engine, commit(3)).version == 2


def test_a_fence_creates_an_absent_table_empty(workshop: Workshop) -> None:
    columns = COLUMNS | {
        "d": "date",
        "t": "timestamp",
        "n": "timestamp_ntz",
        "x": "decimal(38,10)",
        "b": "binary",
    }
    assert workshop.engine.fence(workshop.table(), workshop.plan(columns).columns, commit(2, 0)) == 0
    found = workshop.engine.inspect(workshop.table(), APP)
    assert found is not None
    assert (dict(found.columns), found.filled) == (columns, False)
    assert [entry.commit.version for entry in found.commits] == [commit(2, 0).version]
    assert workshop.engine.fence(workshop.table(), workshop.plan(columns).columns, commit(2, 0)) == 0
    with pytest.raises(Fenced):
        workshop.engine.fence(workshop.table(), workshop.plan(columns).columns, commit(1, 0))


@pytest.mark.parametrize("own", ["BIGINT GENERATED ALWAYS AS IDENTITY", "INT GENERATED ALWAYS AS (id * 2)"])
def test_a_fence_leaves_alone_what_the_table_writes_itself(workshop: Workshop, own: str) -> None:
    workshop.sql(f"CREATE TABLE {{t}} (id INT, at INT, own {own}) USING delta", t=workshop.table())
    assert workshop.engine.fence(workshop.table(), workshop.plan(COLUMNS).columns, commit(3, 0)) == 1
    with pytest.raises(Fenced):
        _append(workshop, workshop.another(), commit(2))
    assert _append(workshop, workshop.engine, commit(3)).rows_inserted == 1
    ((*_, made),) = workshop.rows(workshop.table())
    assert made is not None


@pytest.mark.parametrize(("verb", "exists"), [("overwrite", True), ("overwrite", False), ("append", True)])
def test_a_fence_stops_a_write_under_way(workshop: Workshop, source_db: Any, verb: str, exists: bool) -> None:
    target, older = workshop.table(), workshop.another()
    if exists:
        workshop.fill(target, COLUMNS, [(1, 1)])
    gate = Gate(source_db)
    plan = workshop.query(COLUMNS, f"SELECT 7 AS id, length({PASSES_THE_GATE}::text) AS at")
    attempt = Attempt(lambda: getattr(older, verb)(target, older.read(plan), commit(2)))
    until(lambda: at_the_gate(source_db))
    workshop.engine.fence(target, workshop.plan(COLUMNS).columns, commit(3, 0))
    assert not attempt.ended
    gate.open()
    assert isinstance(attempt.join().error, Fenced), attempt.error
    assert workshop.rows(target) == ([(1, 1)] if exists else [])
    assert workshop.version(target) == (1 if exists else 0)


def test_a_fence_stops_a_merge_under_way(workshop: Workshop) -> None:
    older, target = workshop.another(), workshop.table()
    text = "SELECT n AS id, n AS at FROM generate_series(1, 150000) n"
    workshop.engine.overwrite(target, workshop.engine.read(workshop.query(COLUMNS, text)), commit(1))
    changed = workshop.query(COLUMNS, text.replace("n AS at", "n + 1 AS at"))
    stage = older.stage(older.read(changed), workshop.stage_name, BY_ID)
    attempt = Attempt(lambda: older.merge(target, stage, commit(2), BY_ID))
    until(lambda: older._context.interrupts.busy)
    workshop.engine.fence(target, workshop.plan(COLUMNS).columns, commit(3, 0))
    assert isinstance(attempt.join().error, Fenced), attempt.error
    assert workshop.sql("SELECT count(*) AS n FROM {t} WHERE id <> at", t=target)[0].n == 0


@pytest.mark.faults
def test_a_commit_is_found_behind_many_foreign_ones(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1)], epoch=2)
    for number in range(60):
        workshop.sql(f"ALTER TABLE {{t}} SET TBLPROPERTIES ('touched' = '{number}')", t=workshop.table())
    again = _append(workshop, workshop.engine, commit(2))
    assert (again.version, again.rows_inserted) == (0, 1)
    with pytest.raises(Fenced):
        _append(workshop, workshop.engine, commit(1))
    found = workshop.engine.inspect(workshop.table(), APP)
    assert found is not None
    assert (found.version, [entry.table_version for entry in found.commits]) == (60, [0])


def test_a_later_epoch_of_which_the_history_does_not_tell_any_more_is_said(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, COLUMNS, [(1, 1)])
    _append(workshop, workshop.engine, commit(1440))
    for number in range(21):
        workshop.sql(f"INSERT INTO {{t}} VALUES ({number}, 0)", t=target)
    with pytest.raises(Fenced, match="A later load holds target"):
        _append(workshop, workshop.engine, commit(5))
    log = workshop.folder(target) / "_delta_log"
    # What a cleanup takes away that a checkpoint holds, and with it who wrote when.
    assert list(log.glob("*20.checkpoint*.parquet"))
    for version in range(20):
        (log / f"{version:020}.json").unlink()
    with pytest.raises(Fenced, match="does not tell of it any more") as refused:
        _append(workshop, workshop.engine, commit(5))
    assert "`dataloader db advance-epoch 7 EPOCH`" in (refused.value.fix or "")
    assert "such as 1000005" in (refused.value.fix or "")
    assert _append(workshop, workshop.engine, commit(1_000_006)).rows_inserted == 1
