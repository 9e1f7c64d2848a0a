"""A task's output, without the secrets that the workspace knows."""

from __future__ import annotations

import re
from typing import Any

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.workspace.app_state import AppState
from airflow_dataloader.workspace.jobs.model import Run, TaskRun
from airflow_dataloader.workspace.jobs.output import read_output
from airflow_dataloader.workspace.jobs.shapes import shape_task
from airflow_dataloader.workspace.jobs.states import Result

#: A Spark server's token in its address, should anybody print it.
_TOKEN = re.compile(r";token=([^;\s]+)")


def shown_output(state: AppState, run: Run, task: TaskRun) -> dict[str, Any]:
    """Return ``runs/get-output`` of a task: its logs, and its error if it failed."""
    output = read_output(state.context.home.run_folder(run.run_id, task.run_id))
    hidden = state.secrets.values() | state.hidden | set(_TOKEN.findall(output.logs))
    shown: dict[str, Any] = {
        "metadata": shape_task(run, task.run_id, state.context.url),
        "logs": scrub(output.logs, hidden),
        "logs_truncated": output.truncated,
    }
    if task.end is not None and task.end.result is not Result.SUCCESS:
        shown["error"] = scrub(_error(task, output.error(task.end.message)), hidden)
        shown["error_trace"] = scrub(output.error_trace, hidden)
    return shown


def _error(task: TaskRun, said: str) -> str:
    """Return what the task said if it failed by itself; else the workspace knows better."""
    assert task.end is not None
    by_itself = task.end.code == "RUN_EXECUTION_ERROR"
    return said if by_itself else task.end.message
