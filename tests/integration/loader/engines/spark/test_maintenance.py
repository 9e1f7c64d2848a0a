"""Compacting and vacuuming a table, also while somebody writes to it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.engines.protocol import Deduplication, Optimized, Stage, Vacuumed, Written
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.frames import frame_of
from airflow_dataloader.loader.engines.spark.names import Location, Names
from tests.integration.loader.engines.spark.workshop import APP, Attempt, Workshop, commit
from tests.waiting import until

COLUMNS = {"id": "int", "at": "int"}
BY_ID = Deduplication(keys=("id",), cursor="at")
EVER = datetime(2000, 1, 1, tzinfo=UTC)
GATE = 4711


def fill(workshop: Workshop) -> TargetName:
    """Make a table of two small files."""
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(1, 1), (2, 2)])
    engine.append(target, engine.read(workshop.plan(COLUMNS, [(3, 3)])), commit(1, 2))
    return target


def test_small_files_become_one_and_no_row_changes(workshop: Workshop) -> None:
    target = fill(workshop)
    before = workshop.rows(target)
    done = workshop.engine.optimize(target)
    assert done is not None
    assert (done.files_removed, done.files_added) == (2, 1)
    assert done.bytes_removed > done.bytes_added > 0
    assert workshop.rows(target) == before
    nothing = Optimized(files_added=0, files_removed=0, bytes_added=0, bytes_removed=0)
    assert workshop.engine.optimize(target) == nothing
    found = workshop.engine.inspect(target, APP)
    assert found is not None
    assert (found.version, found.continuous) == (2, True)


def test_a_vacuum_deletes_what_no_version_of_the_retention_needs(workshop: Workshop) -> None:
    target = fill(workshop)
    workshop.engine.optimize(target)
    assert workshop.engine.vacuum(target) == Vacuumed(files_deleted=0, bytes_deleted=0)
    stray = workshop.folder(target) / "stray.parquet"
    stray.write_bytes(b"left by a write that died")
    os.utime(stray, (0, 0))
    assert workshop.engine.vacuum(target) == Vacuumed(files_deleted=1, bytes_deleted=25)
    assert not stray.exists()
    assert workshop.rows(target) == [(1, 1), (2, 2), (3, 3)]
    assert len(workshop.sql("SELECT * FROM {t} VERSION AS OF 1", t=target)) == 3


def test_a_history_says_what_was_done_when(workshop: Workshop) -> None:
    engine, begun = workshop.engine, datetime.now(UTC)
    assert engine.upkeep(workshop.table(), EVER) is None
    target = fill(workshop)
    fresh = engine.upkeep(target, EVER)
    assert fresh is not None
    assert (fresh.optimized_at, fresh.vacuumed_at, fresh.retention) == (None, None, timedelta(days=7))
    engine.optimize(target)
    engine.vacuum(target)
    kept = engine.upkeep(target, EVER)
    assert kept is not None
    assert kept.changed_at == fresh.changed_at
    assert kept.changed_at is not None
    assert kept.optimized_at is not None
    assert kept.vacuumed_at is not None
    assert begun < kept.changed_at < kept.optimized_at < kept.vacuumed_at < datetime.now(UTC)


def test_what_delta_compacts_by_itself_is_no_maintenance(workshop: Workshop) -> None:
    engine, target = workshop.engine, fill(workshop)
    before = engine.upkeep(target, EVER)
    workshop.sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')", t=target)
    conf, name = engine._context.spark.conf, "spark.databricks.delta.autoCompact.minNumFiles"
    conf.set(name, "2")
    try:
        workshop.sql("INSERT INTO {t} VALUES (8, 8)", t=target)
    finally:
        conf.unset(name)
    newest, *_ = workshop.sql("DESCRIBE HISTORY {t}", t=target)
    assert (newest.operation, newest.operationParameters["auto"]) == ("OPTIMIZE", "true")
    found = engine.upkeep(target, EVER)
    assert before is not None
    assert found is not None
    assert found.optimized_at is None
    assert found.changed_at is not None
    assert before.changed_at is not None
    assert found.changed_at > before.changed_at


def test_a_history_is_read_as_far_back_as_somebody_minds(workshop: Workshop) -> None:
    engine, target = workshop.engine, fill(workshop)
    engine.optimize(target)
    for number in range(21):
        workshop.sql(f"ALTER TABLE {{t}} SET TBLPROPERTIES ('touched' = '{number}')", t=target)
    far, near = engine.upkeep(target, EVER), engine.upkeep(target, datetime.now(UTC))
    assert far is not None
    assert near is not None
    assert far.optimized_at is not None
    assert near.optimized_at is None


@pytest.mark.parametrize(
    ("interval", "kept"),
    [("interval 36 hours", timedelta(hours=36)), ("interval 2 weeks", timedelta(days=14))],
)
def test_the_table_s_own_retention_is_told(workshop: Workshop, interval: str, kept: timedelta) -> None:
    target = fill(workshop)
    workshop.sql(
        f"ALTER TABLE {{t}} SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = '{interval}')", t=target
    )
    found = workshop.engine.upkeep(target, EVER)
    assert found is not None
    assert found.retention == kept


@dataclass
class Behind:
    """Names one table by a view."""

    names: Names
    hidden: TargetName
    view: str

    def locate(self, name: TargetName) -> Location:
        return Location(sql=self.view, folder=None) if name == self.hidden else self.names.locate(name)


class Gate:
    """Holds rows back at the source, so that a write stands between its look at the table and its commit."""

    def __init__(self, workshop: Workshop, source: psycopg.Connection[Any]) -> None:
        self.workshop, self.source = workshop, source
        text = f"SELECT 3 AS id, 9 + length(pg_advisory_lock_shared({GATE})::text) AS at"
        self.plan = workshop.query(COLUMNS, text)

    def stage(self) -> tuple[SparkEngine, Stage]:
        """Return a stage whose rows stand behind the gate, and the engine that knows it."""
        context, name = self.workshop.engine._context, self.workshop.stage_name
        view = f"gate_{name.table}"
        frame_of(context, self.workshop.engine.read(self.plan)).createOrReplaceTempView(view)
        behind = Behind(names=context.names, hidden=name, view=view)
        engine = SparkEngine(replace(context, names=behind), lambda: None)
        return engine, Stage(name=name, columns=self.plan.columns, rows=1)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let nothing through before the end of the block."""
        self.source.execute(f"SELECT pg_advisory_lock({GATE})")
        try:
            yield
        finally:
            self.source.execute(f"SELECT pg_advisory_unlock({GATE})")

    def let_one_through(self) -> None:
        """Let the read that waits through, and none after it: the gate closes when its connection ends."""
        self.source.execute(f"SELECT pg_advisory_unlock({GATE})")
        self.source.execute(f"SELECT pg_advisory_lock({GATE})")

    def waits(self) -> bool:
        """Whether a read waits at the gate."""
        query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return self.source.execute(query).fetchone() is not None


def _overwrite(gate: Gate, target: TargetName) -> Written:
    engine = gate.workshop.engine
    return engine.overwrite(target, engine.read(gate.plan), commit(2))


def _slice(gate: Gate, target: TargetName) -> Written:
    engine = gate.workshop.engine
    return engine.replace_slice(target, engine.read(gate.plan), "id = 3", commit(2))


def _append(gate: Gate, target: TargetName) -> Written:
    engine = gate.workshop.engine
    return engine.append(target, engine.read(gate.plan), commit(2))


def _merge(gate: Gate, target: TargetName) -> Written:
    engine, stage = gate.stage()
    return engine.merge(target, stage, commit(2), BY_ID)


def _append_missing(gate: Gate, target: TargetName) -> Written:
    engine, stage = gate.stage()
    return engine.append_missing(target, stage, commit(2), Deduplication(keys=(), cursor="at"))


def _delete_gone(gate: Gate, target: TargetName) -> Written:
    engine, stage = gate.stage()
    return engine.delete_gone(target, replace(stage, columns=stage.columns[:1]), commit(2), mark=False)


@pytest.mark.parametrize(
    ("write", "rows", "repeated"),
    [
        (_overwrite, [(3, 9)], True),
        (_slice, [(1, 1), (2, 2), (3, 9)], True),
        (_append, [(1, 1), (2, 2), (3, 3), (3, 9)], False),
        (_merge, [(1, 1), (2, 2), (3, 9)], True),
        (_append_missing, [(1, 1), (2, 2), (3, 3), (3, 9)], True),
        (_delete_gone, [(3, 3)], True),
    ],
)
def test_a_write_survives_an_optimize_between_its_look_and_its_commit(
    workshop: Workshop,
    source_db: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    write: Callable[[Gate, TargetName], Written],
    rows: list[tuple[int, int]],
    repeated: bool,
) -> None:
    target, gate, other = fill(workshop), Gate(workshop, source_db), workshop.another()
    caplog.set_level(logging.INFO, "airflow_dataloader")
    with gate.closed():
        attempt = Attempt(lambda: write(gate, target))
        until(lambda: gate.waits() or attempt.ended)
        if write is _append_missing:
            # It counts what is staged before it looks at the table.
            gate.let_one_through()
            until(lambda: gate.waits() or attempt.ended)
        done = other.optimize(target)
        assert not attempt.ended
    written = attempt.join().result
    assert attempt.error is None
    assert done is not None
    assert done.files_removed == 2
    assert workshop.rows(target) == rows
    operations = workshop.sql("DESCRIBE HISTORY {t}", t=target)
    assert [row.version for row in operations if row.operation == "OPTIMIZE"] == [2]
    assert written.version == 3
    assert ("got in the way" in caplog.text) is repeated
    found = workshop.engine.inspect(target, APP)
    assert found is not None
    assert (found.continuous, found.commits[0].commit.version) == (True, commit(2).version)


def test_of_an_optimize_and_a_write_at_once_the_one_that_commits_first_counts(workshop: Workshop) -> None:
    engine, target, other = workshop.engine, workshop.table(), workshop.another()
    for number in (1, 2):
        text = f"SELECT n AS id, {number} AS at FROM generate_series(1, 300000) n"
        write = engine.overwrite if number == 1 else engine.append
        write(target, engine.read(workshop.query(COLUMNS, text)), commit(1, number))
    before = len(list(workshop.folder(target).glob("*.parquet")))
    attempt = Attempt(lambda: other.optimize(target))
    until(lambda: len(list(workshop.folder(target).glob("*.parquet"))) > before or attempt.ended)
    workshop.fill(target, COLUMNS, [(7, 7)], epoch=2)
    done = attempt.join().result
    assert attempt.error is None
    assert workshop.rows(target) == [(7, 7)]
    history = workshop.sql("DESCRIBE HISTORY {t}", t=target)
    assert (done is None) is not any(row.operation == "OPTIMIZE" for row in history)
