"""The trigger beside a real run whose workspace does not always answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates, GetXCom, TaskStatesResult, XComResult

from airflow_dataloader.triggers.maintain import MaintainTrigger
from airflow_dataloader.triggers.task_state import TaskAddress
from tests.airflow_db import Connections
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


@dataclass(frozen=True)
class Answers:
    """Stands for a triggerer's line to Airflow: the task's state, and the run that its last try has noted."""

    state: str | None
    newest: int | None

    def send(self, asked: object) -> object:
        if isinstance(asked, GetXCom):
            assert (asked.dag_id, asked.run_id, asked.task_id) == ("maintenance", "monday", "maintain")
            return XComResult(key=asked.key, value=self.newest)
        assert isinstance(asked, GetTaskStates)
        return TaskStatesResult(task_states={"monday": {"maintain": self.state}})


class Silence:
    """Stands for an Airflow that does not answer."""

    def send(self, asked: object) -> object:
        raise RuntimeError(f"no answer to {asked}")


#: A task that ends once its file is gone.
WAITS = """
import pathlib, sys, time
while pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.5)
"""


@pytest.fixture
def ends(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what kills the trigger of a run that runs, and says how the run ends.

    One that ``goes_on`` is let to its own end.
    """
    script, waiting = tmp_path / "waits.py", tmp_path / "waiting"
    script.write_text(WAITS)
    waiting.touch()

    def over(run_id: int) -> bool:
        return bool(workspace.run(run_id)["state"]["life_cycle_state"] == "TERMINATED")

    def kill(line_to: Callable[[int], object], *, goes_on: bool) -> str:
        run_id = workspace.submit(script, str(waiting))
        until(lambda: workspace.run(run_id)["state"]["life_cycle_state"] == "RUNNING")
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", line_to(run_id), raising=False)
        stock = DatabricksExecutionTrigger(run_id=run_id, databricks_conn_id="databricks_default")
        asyncio.run(MaintainTrigger.of(stock, 0, TASK).on_kill())
        if goes_on:
            waiting.unlink()
        until(lambda: over(run_id))
        return str(workspace.run(run_id)["state"]["result_state"])

    return kill


@pytest.mark.parametrize("state", [None, "failed", "success", "restarting"])
def test_the_run_ends_with_its_task(state: str | None, ends: Callable[..., str]) -> None:
    assert ends(lambda run_id: Answers(state, run_id), goes_on=False) == "CANCELED"


def test_the_run_goes_on_where_the_trigger_only_moves(ends: Callable[..., str]) -> None:
    assert ends(lambda run_id: Answers("deferred", run_id), goes_on=True) == "SUCCESS"


def test_the_run_goes_on_where_its_task_waits_and_has_noted_none(ends: Callable[..., str]) -> None:
    assert ends(lambda _: Answers("deferred", None), goes_on=True) == "SUCCESS"


def test_the_run_ends_where_its_task_waits_for_another_one_by_now(ends: Callable[..., str]) -> None:
    assert ends(lambda run_id: Answers("deferred", run_id + 1), goes_on=False) == "CANCELED"


def test_nothing_is_ended_where_airflow_does_not_say(ends: Callable[..., str]) -> None:
    assert ends(lambda _: Silence(), goes_on=True) == "SUCCESS"


def test_a_run_that_cannot_be_cancelled_is_left_with_a_line_and_no_secret(
    ends: Callable[..., str],
    workspace: Workspace,
    connections: Connections,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def marked(run_id: int) -> Answers:
        connections.databricks(workspace.url, f"{workspace.token}\n")
        return Answers("failed", run_id)

    assert ends(marked, goes_on=True) == "SUCCESS"
    said = caplog.text + str(capfd.readouterr())
    assert "could not be cancelled" in said
    assert "Bearer ***" in said
    assert workspace.token not in said
