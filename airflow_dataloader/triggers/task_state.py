"""What Airflow says of a task: a try or a trigger that was told to stop knows by it what becomes of its load.

Airflow calls ``on_kill`` for a person's action, but also after a clear, and when a trigger moves to another
triggerer. Only a task that has ended for good takes its load along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow.providers.databricks.operators.databricks import XCOM_RUN_ID_KEY
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.execution_time.xcom import XCom

from airflow_dataloader.triggers.threads import in_thread

#: States in which nobody will answer for the load any more.
_OVER = frozenset({"failed", "success", "skipped", "removed", "upstream_failed"})

#: What the record of a load says that ended because its task did; a second kill knows the first by it.
TASK_ENDED = "Cancelled - its task was ended in Airflow"

#: What a try says that was told to end before it could hand its load over to a trigger.
LEFT_TO_NEXT_TRY = "This try was ended before it could wait; the next one goes on."


@dataclass(frozen=True, kw_only=True)
class TaskAddress:
    """Where a task instance is found, whichever try it is in."""

    dag_id: str
    airflow_run: str
    task_id: str
    #: -1: not mapped.
    map_index: int

    @classmethod
    def of(cls, task: Any) -> TaskAddress:
        """Return where ``task`` is found, a task instance of either of Airflow's classes."""
        return cls(
            dag_id=task.dag_id, airflow_run=task.run_id, task_id=task.task_id, map_index=task.map_index
        )

    @property
    def key(self) -> str:
        """The task's name in an answer of Airflow's about states."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}_{self.map_index}"

    @property
    def query(self) -> dict[str, Any]:
        """Keywords by which Airflow is asked for the task's state."""
        return {
            "dag_id": self.dag_id,
            "run_ids": [self.airflow_run],
            "task_ids": [self.task_id],
            "map_index": None if self.map_index < 0 else self.map_index,
        }


async def states_of(task: TaskAddress) -> Mapping[str, Any]:
    """Ask Airflow for the task's state, from a trigger: Airflow run → task key → state."""
    states: Mapping[str, Any] = await in_thread(partial(RuntimeTaskInstance.get_task_states, **task.query))
    return states


async def newest_run_of(task: TaskAddress) -> int | None:
    """Ask Airflow, from a trigger, for the Databricks run that the task's last try has found or started."""
    question = partial(
        XCom.get_one,
        key=XCOM_RUN_ID_KEY,
        dag_id=task.dag_id,
        task_id=task.task_id,
        run_id=task.airflow_run,
        map_index=task.map_index,
    )
    newest = await in_thread(question)
    return None if newest is None else int(newest)


def is_over(states: Mapping[str, Any], task: TaskAddress) -> bool:
    """Return whether the task is over, or gone. ``states``: Airflow run → task key → state.

    A state of None is that of a task that was cleared and waits for its next try.
    """
    of_run = states.get(task.airflow_run) or {}
    return task.key not in of_run or str(of_run[task.key]) in _OVER


def are_to_run(states: Mapping[str, Any], airflow_run: str) -> bool:
    """Return whether there are tasks in the run, and none of them is over. ``states``: as above.

    Airflow expands a mapped task that is to run. One that was skipped, for want of a list, stays skipped.
    """
    known = [str(state) for state in (states.get(airflow_run) or {}).values()]
    # What a longer list had is left behind whatever becomes of the others.
    there = [state for state in known if state != "removed"]
    return bool(there) and _OVER.isdisjoint(there)


def was_cleared(states: Mapping[str, Any], task: TaskAddress) -> bool:
    """Return whether the task was cleared while it ran, and its try still runs. ``states``: as above."""
    return str((states.get(task.airflow_run) or {}).get(task.key)) == "restarting"


def waits_on(states: Mapping[str, Any], task: TaskAddress) -> bool:
    """Return whether the task still waits in a trigger, which then only moves. ``states``: as above."""
    return str((states.get(task.airflow_run) or {}).get(task.key)) == "deferred"
