"""Everything that can happen to rows and loads, in any order, on a real PostgreSQL.

Hypothesis drives claims, loaders, zombies, reaps, people and the passing of time; after every step the
database is compared with a model, and what must hold in every state is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.intervene import advance_epoch, cancel
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.retry import Reset, mark_for_review, reset_for_retry
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source
from tests.integration.control.drive import LONG_AGO, ago, edit, repair, sql
from tests.integration.control.jobs import Jobs
from tests.integration.control.lifecycle import (
    CRONS,
    FINAL,
    KINDS,
    LIVE,
    SHARED,
    ZONES,
    ModelLoad,
    ModelRow,
    Picture,
    check_claim,
    check_loads,
    check_rows,
    note_reap,
)
from tests.integration.control.loaders import ACTIONS, WATERMARKS, Draw, start

SOURCES = ("shop", "crm")
LIMITS = ReapLimits(startup=0, wait=0, poll=0)
TIMES = ("lease_until", "progress_at", "load_start_time", "load_queued_time", "reaping_until")

#: What happens next, and how often. One rule draws from it, because most of it only makes sense while loads
#: live, and hypothesis switches whole rules off.
EVENTS = {
    "claim": 2,
    "claim_and_start": 5,
    "ask_again": 1,
    "a_while_with_a_load": 9,
    "person": 4,
    "reset": 3,
    "time_passes": 1,
    "run_moves": 1,
    "reap": 2,
}

#: What people do.
BY_PEOPLE = (
    "add",
    "edit",
    "switch",
    "make due",
    "reschedule",
    "pause",
    "review",
    "set free",
    "delete",
    "advance",
)


class Died(BaseException):
    """A process that ends in the middle of its work."""


class Lifecycle(RuleBasedStateMachine):
    """Rows, loads, and everybody who touches them.

    Rows and loads are chosen so that something can happen to them, three times out of four; the fourth choice
    is any, a zombie as likely as not.
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
        self.jobs = Jobs(r1=RunState.RUNNING, r2=RunState.RUNNING)
        self.run_number = 0
        self.before = Picture.take(self.engine)
        for kind in kinds:
            self._add_row(kind, "shop", 0)

    @rule(
        data=st.data(), event=st.sampled_from([name for name, times in EVENTS.items() for _ in range(times)])
    )
    def happen(self, data: Draw, event: str) -> None:
        getattr(self, event)(data)

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

    def person(self, data: Draw) -> None:
        row = self._row(data, lambda row: row.status in LIVE)
        match data.draw(st.sampled_from(BY_PEOPLE)):
            case "add":
                kind, source = data.draw(st.sampled_from(list(KINDS))), data.draw(st.sampled_from(SOURCES))
                self._add_row(kind, source, data.draw(st.integers(0, 1)), due=data.draw(st.booleans()))
            case "edit" | "switch" | "make due" | "reschedule" as how:
                self._configure(row, data, how)
            case "pause":
                self._pause(data)
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

    def _add_row(self, kind: str, source: str, priority: int, *, due: bool = True) -> None:
        columns = {"load_strategy": "full", "priority": priority, "db_config_key": source} | KINDS[kind]
        slot = {"next_load_date_time": LONG_AGO} if due else {}
        config_id = add_row(self.engine, **columns, **slot)
        values = {name: columns.get(name) for name in (*SHARED, "priority")}
        self.model[config_id] = ModelRow(
            config_id=config_id,
            source=source,
            values=values,
            schedule=(columns.get("load_cron"), "UTC"),
            slot=(LONG_AGO, LONG_AGO) if due else None,
        )

    def _reschedule(self, row: ModelRow, data: Draw) -> None:
        load_cron, load_timezone = row.schedule
        if data.draw(st.booleans()):
            load_cron = data.draw(st.sampled_from(CRONS))
        else:
            load_timezone = data.draw(st.sampled_from(ZONES))
        if not row.deleted:
            edit(self.engine, row.config_id, load_cron=load_cron, load_timezone=load_timezone)
            row.reschedule(load_cron, load_timezone)

    def _configure(self, row: ModelRow, data: Draw, how: str) -> None:
        match how:
            case "edit":
                self._edit(row, data)
            case "reschedule":
                self._reschedule(row, data)
            case "switch":
                active = data.draw(st.integers(0, 3)) > 0
                edit(self.engine, row.config_id, is_active=active)
                row.switch(active=active)
            case "make due":
                edit(self.engine, row.config_id, next_load_date_time=LONG_AGO)
                row.slot = LONG_AGO, LONG_AGO

    def _edit(self, row: ModelRow, data: Draw) -> None:
        values: dict[str, st.SearchStrategy[Any]] = {
            "incremental_value": WATERMARKS,
            "load_full": st.sampled_from([None, "true", "false"]),
            "load_strategy": st.sampled_from(["full", "full", "rolling", "upsert"]),
            "priority": st.integers(-1, 3),
        }
        column = data.draw(st.sampled_from(list(values)))
        value = data.draw(values[column])
        if not row.deleted:
            edit(self.engine, row.config_id, **{column: value})
            row.values[column] = value

    def _pause(self, data: Draw) -> None:
        statement = (
            "UPDATE control.table_control_dbconfig SET paused_until = :until WHERE db_config_key = :key"
        )
        until = data.draw(st.sampled_from([None, None, "infinity", "2020-01-01"]))
        sql(self.engine, statement, until=until, key=data.draw(st.sampled_from(SOURCES)))

    def _advance(self, row: ModelRow, epoch: int) -> None:
        if row.deleted or row.status in LIVE:
            with pytest.raises(ConfigurationError):
                advance_epoch(self.engine, row.config_id, epoch)
        else:
            row.epoch = max(row.epoch, epoch)
            assert advance_epoch(self.engine, row.config_id, epoch) == row.epoch

    def _cancel(self, load: ModelLoad) -> None:
        lives = load.status not in FINAL and load.owns_row
        assert cancel(self.engine, load.metadata_id, "a person") is lives
        if lives:
            load.end("Cancelled", "cancel")

    def reset(self, data: Draw) -> None:
        row = self._row(data, lambda row: row.status == "Failed" and not row.deleted)
        most = data.draw(st.sampled_from([3, 3, 1]))
        since = datetime.now(UTC)
        told = reset_for_retry(self.engine, row.config_id, "again", max_retries=most)
        if row.deleted or row.status != "Failed":
            assert told is Reset.UNCHANGED
        elif row.retry_count < most:
            assert told is Reset.RETRY
            row.slot = since, datetime.now(UTC)
            row.status, row.retry_count = None, row.retry_count + 1
        else:
            assert told is Reset.REVIEW

    # Claims

    def claim(self, data: Draw) -> None:
        batch, room = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
        asked = st.lists(st.sampled_from(list(self.model)), unique=True)
        only = data.draw(st.none() | asked)
        before = Picture.take(self.engine)
        claimed = self._claim(batch_size=batch, max_concurrent=room, only=only)
        check_claim(Picture.take(self.engine), before, self.model, claimed, batch, room, only)

    def claim_and_start(self, data: Draw) -> None:
        row = self._row(data, lambda row: row.status not in LIVE and not row.deleted)
        for claimed in self._claim(only=[row.config_id]):
            load = self.known[claimed.metadata_id]
            if load.status == "Queued":
                start(self.engine, load, data)

    def ask_again(self, data: Draw) -> None:
        if not self.known:
            return
        before = Picture.take(self.engine)
        load = data.draw(st.sampled_from(list(self.known.values())))
        again = claim(self.engine, airflow_run=load.airflow_run)
        same = [other for other in self.known.values() if other.airflow_run == load.airflow_run]
        assert [(told.metadata_id, told.load_status) for told in again] == [
            (other.metadata_id, other.status) for other in same
        ]
        assert Picture.take(self.engine) == before

    def _claim(self, **asked: Any) -> list[Claimed]:
        self.run_number += 1
        run = f"run-{self.run_number}"
        since = datetime.now(UTC)
        claimed = claim(self.engine, airflow_run=run, **asked)
        until = datetime.now(UTC)
        for waits in self.model.values():
            waits.arm(since, until)
        for told in claimed:
            row = self.model[told.config_id]
            assert told.epoch == row.epoch + 1
            assert row.status not in LIVE
            assert {name: told.config[name] for name in row.values} == row.values
            row.move_on(since, until)
            load = row.claimed(told.metadata_id, run)
            self.known[load.metadata_id] = load
            if told.load_status == "Failed":
                load.end("Failed", "claim")
        return claimed

    # Loaders, alive and not

    def a_while_with_a_load(self, data: Draw) -> None:
        if not self.known:
            return
        load = self._load(data, lambda load: load.alive)
        for _ in range(data.draw(st.integers(1, 4))):
            match data.draw(st.sampled_from([*ACTIONS, "edit", "edit", "reschedule", "cancel", "reap"])):
                case "edit":
                    self._edit(load.row, data)
                case "reschedule":
                    self._reschedule(load.row, data)
                case "cancel":
                    self._cancel(load)
                case "reap":
                    self._age(load, "lease_until")
                    self._reap("there", dies=data.draw(st.booleans()))
                case action:
                    ACTIONS[action](self.engine, load, data)
            self.database_equals_model()

    # Time, and who watches it

    def time_passes(self, data: Draw) -> None:
        if self.known:
            load = self._load(data, lambda load: load.status not in FINAL)
            self._age(load, data.draw(st.sampled_from(TIMES)))

    def _age(self, load: ModelLoad, column: str) -> None:
        if load.status in FINAL or (column == "reaping_until" and not load.fenced):
            return
        if column in {"progress_at", "load_start_time"} and load.started is None:
            return
        ago(self.engine, load.metadata_id, **{column: 1_000_000})
        load.aged.add(column)

    def run_moves(self, data: Draw) -> None:
        run, state = data.draw(st.sampled_from(["r1", "r2"])), data.draw(st.sampled_from(list(RunState)))
        self.jobs.runs[run] = Run(state=state, reason="So it is.")

    def reap(self, data: Draw) -> None:
        api = data.draw(st.sampled_from(["there", "there", "away", "none"]))
        self._reap(api, dies=data.draw(st.booleans()))

    def _reap(self, api: str, *, dies: bool) -> None:
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
            assert {reaped.metadata_id for reaped in told.ended} == ended
            assert told.left == ()
            assert doomed <= ended

    # What holds in every state

    @invariant()
    def database_equals_model(self) -> None:
        now = Picture.take(self.engine)
        assert set(now.rows) == {row.config_id for row in self.model.values() if not row.deleted}
        assert set(now.loads) == set(self.known)
        for config_id, row in now.rows.items():
            model = self.model[config_id]
            assert row.last_status == model.status
            assert row.load_epoch == model.epoch
            assert row.retry_count == model.retry_count
            assert {name: getattr(row, name) for name in model.values} == model.values, "an edit was lost"
            assert (row.is_active, row.load_cron, row.load_timezone) == (model.active, *model.schedule)
            model.see_slot(row.next_load_date_time)
        for metadata_id, load in now.loads.items():
            assert load.load_status == self.known[metadata_id].status
        check_rows(now, self.before)
        check_loads(now, self.known)
        self.before = now


def drive(engine: Engine, examples: int) -> None:
    run_state_machine_as_test(
        type("Bound", (Lifecycle,), {"engine": engine}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
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
