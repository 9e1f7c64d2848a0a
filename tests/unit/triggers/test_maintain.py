"""The trigger as Airflow stores it, and that it fires late enough for Airflow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import pytest
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import TriggerEvent

from airflow_dataloader.operators.maintain import MaintainOperator
from airflow_dataloader.triggers.kill import TaskAddress
from airflow_dataloader.triggers.maintain import MaintainTrigger

MONDAY = TaskAddress(dag_id="maintenance", airflow_run="monday", task_id="maintain", map_index=-1)


def stock() -> DatabricksExecutionTrigger:
    return DatabricksExecutionTrigger(run_id=4, databricks_conn_id="shop", run_page_url="http://x")


def test_it_comes_back_equal_from_primitives() -> None:
    path, stored = MaintainTrigger.of(stock(), 10, MONDAY).serialize()
    assert path == "airflow_dataloader.triggers.maintain.MaintainTrigger"
    assert stored == {**stock().serialize()[1], "hold_seconds": 10, "waiting": asdict(MONDAY)}
    again = BaseSerialization.deserialize(json.loads(json.dumps(BaseSerialization.serialize(stored))))
    assert MaintainTrigger(**again).serialize() == (path, stored)


@pytest.mark.parametrize("hold_seconds", [0, 3600])
def test_its_event_is_held(hold_seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def over(_: Any) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"run_id": 4})

    async def fires() -> bool:
        waiting = asyncio.ensure_future(anext(MaintainTrigger.of(stock(), hold_seconds, MONDAY).run()))
        done, _ = await asyncio.wait({waiting}, timeout=0.5)
        waiting.cancel()
        return bool(done)

    # The provider's own look at Databricks.
    monkeypatch.setattr(DatabricksExecutionTrigger, "run", over)
    assert asyncio.run(fires()) is (hold_seconds == 0)


def test_a_run_that_has_failed_is_not_tried_again() -> None:
    state = json.dumps(
        {"life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "no room"}
    )
    event = {"run_id": 4, "run_page_url": "http://x", "run_state": state, "errors": []}
    with pytest.raises(AirflowFailException, match="no room"):
        MaintainOperator(task_id="maintain").execute_complete(None, event)
