"""The trigger as Airflow stores it, and that it fires late enough for Airflow."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any

import pytest
from airflow.providers.databricks.hooks.databricks import DatabricksHook, RunState
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import TriggerEvent

from airflow_dataloader.operators.maintain import MaintainOperator
from airflow_dataloader.triggers import maintain
from airflow_dataloader.triggers.maintain import MaintainTrigger
from airflow_dataloader.triggers.task_state import TaskAddress
from tests.waiting import PATIENCE

MONDAY = TaskAddress(dag_id="maintenance", airflow_run="monday", task_id="maintain", map_index=-1)


def stock() -> DatabricksExecutionTrigger:
    return DatabricksExecutionTrigger(run_id=4, databricks_conn_id="shop", run_page_url="http://x")


def test_it_comes_back_equal_from_primitives() -> None:
    path, stored = MaintainTrigger.of(stock(), 10, MONDAY).serialize()
    assert path == "airflow_dataloader.triggers.maintain.MaintainTrigger"
    assert stored == {**stock().serialize()[1], "hold_seconds": 10, "task_address": asdict(MONDAY)}
    again = BaseSerialization.deserialize(json.loads(json.dumps(BaseSerialization.serialize(stored))))
    assert MaintainTrigger(**again).serialize() == (path, stored)


@pytest.mark.parametrize("hold_seconds", [0, 3600])
def test_its_event_is_held(hold_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def over(_: Any) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"run_id": 4})

    async def fires() -> bool:
        waiting = asyncio.ensure_future(anext(MaintainTrigger.of(stock(), hold_seconds, MONDAY).run()))
        done, _ = await asyncio.wait({waiting}, timeout=0.5 if hold_seconds else PATIENCE)
        waiting.cancel()
        return bool(done)

    # The provider's own look at Databricks.
    monkeypatch.setattr(DatabricksExecutionTrigger, "run", over)
    assert asyncio.run(fires()) is (hold_seconds == 0)


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose clock is put forward by what it pretends to have waited for."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


#: A look that lasts until the provider has given up its own tries of a question that nobody answers.
SILENT = 600.0


def looks_until(clock: Clock, monkeypatch: pytest.MonkeyPatch, *states: str, end: int) -> int:
    """Have each look hear these states of the run and then nothing, but look number ``end`` see its end.

    Return how many looks there were.
    """
    looks = 0
    heard: Iterator[str] = iter(())

    async def state(_: Any, run_id: int) -> RunState:
        return RunState(life_cycle_state=next(heard))

    async def look(trigger: MaintainTrigger) -> AsyncIterator[TriggerEvent]:
        nonlocal looks, heard
        looks, heard = looks + 1, iter(states)
        for _ in states:
            await trigger.hook.a_get_run_state(trigger.run_id)
        if looks < end:
            clock.ahead += SILENT
            raise TimeoutError
        yield TriggerEvent({"run_id": trigger.run_id})

    monkeypatch.setattr(DatabricksHook, "a_get_run_state", state)
    monkeypatch.setattr(DatabricksExecutionTrigger, "run", look)
    monkeypatch.setattr(maintain, "backoff", lambda _: 0.0)
    with contextlib.suppress(TimeoutError):
        clock.run_until_complete(anext(MaintainTrigger.of(stock(), 0, MONDAY).run()))
    return looks


@pytest.fixture
def clock() -> Iterator[Clock]:
    with contextlib.closing(Clock()) as loop:
        yield loop


@pytest.mark.parametrize("states", [(), ("TERMINATED",)])
def test_an_api_that_keeps_silent_ends_the_waiting(
    states: tuple[str, ...], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looks_until(clock, monkeypatch, *states, end=9) == 2


def test_an_api_that_keeps_silent_now_and_then_does_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert looks_until(clock, monkeypatch, "RUNNING", end=9) == 9


def test_a_run_that_has_failed_is_not_tried_again() -> None:
    state = json.dumps(
        {"life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "no room"}
    )
    event = {"run_id": 4, "run_page_url": "http://x", "run_state": state, "errors": []}
    with pytest.raises(AirflowFailException, match="no room"):
        MaintainOperator(task_id="maintain").execute_complete(None, event)
