"""Everything that can happen to rows and loads, in any order, on a real PostgreSQL.

Hypothesis drives claims, loaders, zombies, reaps, people and the passing of time; after every step the
database is compared with a model, and what must hold in every state is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.intervene import advance_epoch, cancel
from airflow_dataloader.control.reap import ReapLimits, reap
from airflow_dataloader.control.retry import Reset, mark_for_review, reset_for_retry
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.exceptions import ConfigurationError, Fenced
from tests.factories import add_source
from tests.integration.control.drive import ago, due_row, edit, repair, sql
from tests.integration.control.jobs import Jobs
from tests.integration.control.lifecycle import (
    FINAL,
    KINDS,
    LIVE,
    SHARED,
    ModelLoad,
    ModelRow,
    Picture,
    check_claim,
    check_loads,
    check_rows,
    note_reap,
)

SOURCES = ("shop", "crm")
LIMITS = ReapLimits(startup=0, wait=0, poll=0)
FAILURE = Failure(phase=Phase.READ, error="Oops", message="oops", transient=True)
VALUES = st.sampled_from(["1", "2", "3"])


class Died(Exception):
    """A process that ends in the middle of its work."""


#: The choices of a rule, made while it runs, from what there is by then.
Draw = st.DataObject

there_are_rows = precondition(lambda self: bool(self.model))
there_are_loads = precondition(lambda self: bool(self.known))


class Lifecycle(RuleBasedStateMachine):
    """Rows, loads, and everybody who touches them.

    Loads are chosen so that something can happen to them, three times out of four; the fourth choice is any
    load, a zombie as likely as not.
    """

    engine: ClassVar[Engine]

    @initialize(kinds=st.lists(st.sampled_from(list(KINDS)[:3]), min_size=1, max_size=3))
    def begin(self, kinds: list[str]) -> None:
        sql(
            self.engine,
            "TRUNCATE control.table_control, control.table_control_dbconfig, control.historical_metadata, "
            "control.table_control_history RESTART IDENTITY CASCADE",
        )
        add_source(self.engine, "shop", max_concurrent_loads=2)
        add_source(self.engine, "crm", max_concurrent_loads=1)
        self.model: dict[int, ModelRow] = {}
        self.known: dict[int, ModelLoad] = {}
        self.jobs = Jobs()
        self.run_number = 0
        self.before = Picture.take(self.engine)
        for kind in kinds:
            self.add_row(kind, "shop", 0)

    def _row(self, data: Draw, wanted: Callable[[ModelRow], bool]) -> ModelRow:
        return self._choose(data, list(self.model.values()), wanted)

    def _load(self, data: Draw, wanted: Callable[[ModelLoad], bool]) -> ModelLoad:
        return self._choose(data, list(self.known.values()), wanted)

    @staticmethod
    def _choose(data: Draw, everything: list[Any], wanted: Callable[[Any], bool]) -> Any:
        fitting = [one for one in everything if wanted(one)]
        fits = bool(fitting) and data.draw(st.integers(0, 3)) > 0
        return data.draw(st.sampled_from(fitting if fits else everything))

    # People

    def add_row(self, kind: str, source: str, priority: int) -> None:
        columns = {"load_strategy": "full", "priority": priority, "db_config_key": source} | KINDS[kind]
        config_id = due_row(self.engine, **columns)
        values = {name: columns.get(name) for name in (*SHARED, "priority")}
        self.model[config_id] = ModelRow(config_id=config_id, source=source, values=values)

    @there_are_rows
    @rule(data=st.data(), column=st.sampled_from([*SHARED, "priority"]))
    def edit(self, data: Draw, column: str) -> None:
        values: dict[str, st.SearchStrategy[Any]] = {
            "incremental_value": st.none() | VALUES,
            "load_full": st.sampled_from([None, "true", "false"]),
            "load_strategy": st.sampled_from(["full", "full", "rolling", "upsert"]),
            "priority": st.integers(-1, 3),
        }
        row = self._row(data, lambda row: row.status == "In Progress")
        if not row.deleted:
            value = data.draw(values[column])
            edit(self.engine, row.config_id, **{column: value})
            row.values[column] = value

    @rule(
        data=st.data(),
        action=st.sampled_from(
            ["add", "switch", "make due", "pause", "review", "set free", "set free", "delete", "advance"]
        ),
    )
    def person(self, data: Draw, action: str) -> None:
        if action == "add" or not self.model:
            kind, source = data.draw(st.sampled_from(list(KINDS))), data.draw(st.sampled_from(SOURCES))
            self.add_row(kind, source, data.draw(st.integers(0, 1)))
            return
        row = self._row(data, lambda row: row.status in LIVE)
        match action:
            case "pause":
                self._pause(data)
            case "switch":
                edit(self.engine, row.config_id, is_active=data.draw(st.booleans()))
            case "make due":
                edit(self.engine, row.config_id, next_load_date_time="2020-01-01")
            case "review":
                marked = mark_for_review(self.engine, row.config_id, "look")
                assert marked is (row.status == "Failed" and not row.deleted)
            case "set free" if not row.deleted:
                repair(self.engine, row.config_id, last_status=None)
                row.status = None
            case "delete":
                sql(self.engine, "DELETE FROM control.table_control WHERE config_id = :id", id=row.config_id)
                row.deleted = True
            case "advance":
                self._advance(row, data.draw(st.integers(0, 40)))

    def _pause(self, data: Draw) -> None:
        statement = (
            "UPDATE control.table_control_dbconfig SET paused_until = :until WHERE db_config_key = :key"
        )
        until = data.draw(st.sampled_from([None, "infinity", "2020-01-01"]))
        sql(self.engine, statement, until=until, key=data.draw(st.sampled_from(SOURCES)))

    def _advance(self, row: ModelRow, epoch: int) -> None:
        if row.deleted or row.status in LIVE:
            with pytest.raises(ConfigurationError):
                advance_epoch(self.engine, row.config_id, epoch)
        else:
            row.epoch = max(row.epoch, epoch)
            assert advance_epoch(self.engine, row.config_id, epoch) == row.epoch

    @there_are_loads
    @rule(data=st.data())
    def cancel(self, data: Draw) -> None:
        load = self._load(data, lambda load: load.owns_row and load.status not in FINAL)
        lives = load.status not in FINAL and load.owns_row
        assert cancel(self.engine, load.metadata_id, "a person") is lives
        if lives:
            load.end("Cancelled", "cancel")

    @there_are_rows
    @rule(data=st.data(), max_retries=st.sampled_from([3, 3, 1]))
    def reset(self, data: Draw, max_retries: int) -> None:
        row = self._row(data, lambda row: row.status == "Failed")
        told = reset_for_retry(self.engine, row.config_id, "again", max_retries=max_retries)
        if row.deleted or row.status != "Failed":
            assert told is Reset.UNCHANGED
        elif row.retry_count < max_retries:
            assert told is Reset.RETRY
            row.status, row.retry_count = None, row.retry_count + 1
        else:
            assert told is Reset.REVIEW

    # Claims

    @rule(data=st.data(), batch=st.integers(1, 4), room=st.integers(1, 4), asked=st.booleans())
    def claim(self, data: Draw, batch: int, room: int, asked: bool) -> None:
        self.run_number += 1
        before = Picture.take(self.engine)
        only = data.draw(st.lists(st.sampled_from(list(self.model) or [0]))) if asked else None
        claimed = claim(
            self.engine,
            airflow_run=f"run-{self.run_number}",
            batch_size=batch,
            max_concurrent=room,
            only=only,
        )
        check_claim(Picture.take(self.engine), before, self.model, claimed, batch, room, only)
        for load in claimed:
            self._note_claim(load)

    @there_are_rows
    @rule(data=st.data())
    def claim_and_start(self, data: Draw) -> None:
        row = self._row(data, lambda row: row.status not in LIVE)
        if row.deleted or row.status in LIVE:
            return
        self.run_number += 1
        for claimed in claim(self.engine, airflow_run=f"run-{self.run_number}", only=[row.config_id]):
            load = self._note_claim(claimed)
            if load.status == "Queued":
                self._start(load, "a")

    @precondition(lambda self: self.run_number > 0)
    @rule(data=st.data())
    def ask_again(self, data: Draw) -> None:
        number = data.draw(st.integers(1, self.run_number))
        before = Picture.take(self.engine)
        known = sql(
            self.engine,
            "SELECT id, load_status FROM control.historical_metadata WHERE airflow_run = :run ORDER BY id",
            run=f"run-{number}",
        )
        if known:
            again = claim(self.engine, airflow_run=f"run-{number}")
            assert [(load.metadata_id, load.load_status) for load in again] == [tuple(row) for row in known]
            assert Picture.take(self.engine) == before

    def _note_claim(self, claimed: Claimed) -> ModelLoad:
        row = self.model[claimed.config_id]
        assert claimed.epoch == row.epoch + 1
        assert row.status not in LIVE
        assert {name: claimed.config[name] for name in row.values} == row.values
        load = ModelLoad(
            metadata_id=claimed.metadata_id,
            row=row,
            epoch=claimed.epoch,
            snapshot={name: row.values[name] for name in SHARED},
        )
        row.epoch, row.status = claimed.epoch, "Queued"
        row.loads.append(load)
        self.known[load.metadata_id] = load
        if claimed.load_status == "Failed":
            load.end("Failed", "claim")
        return load

    # Loaders, alive and not

    @there_are_loads
    @rule(data=st.data(), run=st.sampled_from(["r1", "r2"]))
    def submit(self, data: Draw, run: str) -> None:
        load = self._load(data, lambda load: load.alive)
        lives = load.status not in FINAL and not load.fenced and self._same_epoch(load)
        if not lives:
            with pytest.raises(Fenced):
                update_run_tracking(self.engine, load.metadata_id, load.epoch, databricks_run=run)
        else:
            update_run_tracking(self.engine, load.metadata_id, load.epoch, databricks_run=run)
            load.run = run
            self.jobs.runs.setdefault(run, Run(state=RunState.RUNNING))

    def _same_epoch(self, load: ModelLoad) -> bool:
        return not load.row.deleted and load.row.epoch == load.epoch

    @there_are_loads
    @rule(data=st.data(), nonce=st.sampled_from(["a", "a", "a", "b"]))
    def start(self, data: Draw, nonce: str) -> None:
        self._start(self._load(data, lambda load: load.alive and load.status == "Queued"), nonce)

    def _start(self, load: ModelLoad, nonce: str) -> None:
        accepted = load.alive and load.nonce in {None, nonce}
        if not accepted:
            with pytest.raises(Fenced):
                lease.start(self.engine, load.metadata_id, load.epoch, nonce=nonce)
            return
        started = lease.start(self.engine, load.metadata_id, load.epoch, nonce=nonce)
        assert [attempt.metadata_id for attempt in started.unsettled] == load.owed()
        assert started.incremental_value == load.row.values["incremental_value"]
        assert started.config.incremental_value == load.snapshot["incremental_value"]
        load.nonce, load.started, load.status, load.row.status = nonce, started, "In Progress", "In Progress"
        load.aged.discard("lease_until")

    def _running(self, data: Draw) -> ModelLoad:
        return self._load(data, lambda load: load.alive and load.started is not None)

    @there_are_loads
    @rule(data=st.data(), progressed=st.booleans())
    def heartbeat(self, data: Draw, progressed: bool) -> None:
        load = self._running(data)
        ids = (self.engine, load.metadata_id, load.epoch, load.nonce or "a")
        if load.alive and load.status == "In Progress":
            lease.heartbeat(*ids, progressed=progressed)
            load.aged -= {"lease_until", "progress_at"} if progressed else {"lease_until"}
        else:
            with pytest.raises(Fenced):
                lease.heartbeat(*ids, progressed=progressed)

    @there_are_loads
    @rule(
        data=st.data(),
        watermark=st.none() | VALUES,
        clear=st.booleans(),
        after=st.sampled_from([None, "rolling"]),
        published=st.booleans(),
        times=st.integers(1, 2),
    )
    def succeed(
        self,
        data: Draw,
        watermark: str | None,
        clear: bool,
        after: str | None,
        published: bool,
        times: int,
    ) -> None:
        load = self._running(data)
        if load.started is None:
            return
        receipt = Receipt(target_version=7 if published else None, rows_inserted=1)
        facts: dict[str, Any] = {
            "receipt": receipt, "watermark": watermark, "clear_load_full": clear, "strategy_after": after,
        }  # fmt: skip
        if not load.alive:
            if load.status != "Succeeded":
                with pytest.raises(Fenced):
                    settle.succeed(self.engine, load.started, str(load.nonce), **facts)
            return
        wanted = {"incremental_value": watermark, "load_strategy": after, "load_full": None}
        says = {name for name, value in wanted.items() if value is not None} | (
            {"load_full"} if clear else set()
        )
        kept = tuple(
            name
            for name in SHARED
            if name in says
            and load.row.values[name] != load.snapshot[name]
            and load.row.values[name] != wanted[name]
        )
        for _ in range(times):
            assert settle.succeed(self.engine, load.started, str(load.nonce), **facts).kept_edits == kept
        load.row.values.update({name: wanted[name] for name in says if name not in kept})
        load.row.retry_count = 0
        load.paid = published
        load.end("Succeeded", "loader")

    @there_are_loads
    @rule(data=st.data(), cancelled=st.booleans(), unknown=st.booleans(), fenced=st.booleans())
    def fail(self, data: Draw, cancelled: bool, unknown: bool, fenced: bool) -> None:
        load = self._running(data)
        if load.started is None:
            return
        failure = Failure(**{**FAILURE.as_json(), "phase": Phase.READ, "outcome_unknown": unknown})
        receipt = Receipt(fence_version=0) if fenced else None
        facts: dict[str, Any] = {"failure": failure, "receipt": receipt, "cancelled": cancelled}
        status = "Cancelled" if cancelled else "Failed"
        if load.alive:
            settle.fail(self.engine, load.started, str(load.nonce), **facts)
            load.outcome_unknown, load.paid = unknown, fenced
            load.end(status, "loader")
        elif not (load.settled_by == "loader" and load.status == status):
            with pytest.raises(Fenced):
                settle.fail(self.engine, load.started, str(load.nonce), **facts)

    @precondition(lambda self: any(load.started and load.started.unsettled for load in self.known.values()))
    @rule(data=st.data(), watermark=st.none() | VALUES)
    def adopt(self, data: Draw, watermark: str | None) -> None:
        load = self._load(data, lambda load: bool(load.started and load.started.unsettled and load.alive))
        if load.started is None or not load.started.unsettled:
            return
        attempt = load.started.unsettled[0]
        facts: dict[str, Any] = {"table_version": 5, "watermark": watermark}
        if not load.alive:
            with pytest.raises(Fenced):
                settle.adopt(self.engine, load.started, attempt, **facts)
            return
        current = load.row.values["incremental_value"]
        moves = watermark is not None and current in {attempt.low, watermark}
        adopted = settle.adopt(self.engine, load.started, attempt, **facts)
        assert adopted.moved is moves
        load.started = adopted.started
        self.known[attempt.metadata_id].paid = True
        if moves:
            load.row.values["incremental_value"] = load.snapshot["incremental_value"] = watermark

    # Time, and who watches it

    @there_are_loads
    @rule(
        data=st.data(),
        column=st.sampled_from(
            ["lease_until", "progress_at", "load_start_time", "load_queued_time", "reaping_until"]
        ),
    )
    def time_passes(self, data: Draw, column: str) -> None:
        load = self._load(data, lambda load: load.status not in FINAL)
        if load.status in FINAL or (column == "reaping_until" and not load.fenced):
            return
        if column in {"progress_at", "load_start_time"} and load.started is None:
            return
        ago(self.engine, load.metadata_id, **{column: 1_000_000})
        load.aged.add(column)

    @rule(run=st.sampled_from(["r1", "r2"]), state=st.sampled_from(list(RunState)))
    def run_moves(self, run: str, state: RunState) -> None:
        self.jobs.runs[run] = Run(state=state, reason="So it is.")

    @rule(api=st.sampled_from(["there", "there", "away", "none"]), dies=st.booleans())
    def reap(self, api: str, dies: bool) -> None:
        def die(_: str) -> None:
            raise Died

        self.jobs.reachable = api != "away"
        self.jobs.on_cancel = die if dies else lambda _: None
        over = {run for run, moved in self.jobs.runs.items() if moved.state is RunState.ENDED}
        suspects = {load.metadata_id for load in self.known.values() if load.may_be_reaped(over)}
        doomed = {load.metadata_id for load in self.known.values() if load.must_be_reaped()}
        try:
            told = reap(self.engine, run_api=None if api == "none" else self.jobs, limits=LIMITS)
        except Died:
            told = None
        ended = note_reap(Picture.take(self.engine), self.known, suspects)
        if told is not None:
            assert {reaped.metadata_id for reaped in told} == ended
            assert doomed <= ended

    # What holds in every state

    @invariant()
    def database_equals_model(self) -> None:
        now = Picture.take(self.engine)
        assert set(now.rows) == {row.config_id for row in self.model.values() if not row.deleted}
        assert set(now.loads) == set(self.known)
        for config_id, row in now.rows.items():
            model = self.model[config_id]
            assert (row.last_status, row.load_epoch, row.retry_count) == (
                model.status, model.epoch, model.retry_count,
            )  # fmt: skip
            assert {name: getattr(row, name) for name in model.values} == model.values, "an edit was lost"
        for metadata_id, load in now.loads.items():
            assert load.load_status == self.known[metadata_id].status
        check_rows(now, self.before)
        check_loads(now, self.known)
        self.before = now


def drive(engine: Engine, examples: int) -> None:
    machine = type("Bound", (Lifecycle,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_any_order(control: Engine) -> None:
    drive(control, 200)


@pytest.mark.faults
@pytest.mark.timeout(3_600)
def test_any_order_at_length(control: Engine) -> None:
    drive(control, 2_000)
