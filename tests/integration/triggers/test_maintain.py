"""The trigger beside a real run whose workspace does not always answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

from airflow_dataloader.triggers.kill import TaskAddress
from airflow_dataloader.triggers.maintain import MaintainTrigger
from tests.airflow_stand import Workspace
from tests.waiting import until

TASK = TaskAddress(dag_id="maintenance", airflow_run="monday", task_id="maintain", map_index=-1)


def test_an_api_that_fails_for_a_while_fails_no_task(workspace: Workspace, script: Path) -> None:
    run_id = workspace.submit(script, "sleep", "0")
    until(lambda: workspace.run(run_id)["state"]["life_cycle_state"] == "TERMINATED")
    # More often than the provider asks for one answer.
    workspace.order("status", path="runs/get", status=503, times=5)
    stock = DatabricksExecutionTrigger(
        run_id=run_id, databricks_conn_id="databricks_default", retry_limit=2, retry_delay=0
    )

    async def first() -> Any:
        return await anext(MaintainTrigger.of(stock, 0, TASK).run())

    event = asyncio.run(first())
    assert event.payload["run_id"] == run_id
    assert "SUCCESS" in event.payload["run_state"]
