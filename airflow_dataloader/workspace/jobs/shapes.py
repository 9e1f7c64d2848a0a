"""Runs as the Jobs API shows them: ``state`` of every version, and ``status`` of 2.2."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.workspace.jobs.model import Run, TaskRun, Times
from airflow_dataloader.workspace.jobs.states import End, LifeCycle, Result, Stop

#: Tasks that one page of a run shows.
PAGE = 100

_WAITING = "Waiting for other runs to end."


def run_page_url(url: str, run_id: int) -> str:
    """Return the address of a run's page."""
    return f"{url}/runs/{run_id}"


def shape(run: Run, url: str, *, tasks: bool = True, offset: int = 0) -> dict[str, Any]:
    """Return a run; ``offset`` is that of the first task on this page."""
    shown: dict[str, Any] = {
        "job_id": run.run_id,
        "run_id": run.run_id,
        "job_run_id": run.run_id,
        "original_attempt_run_id": run.run_id,
        "number_in_job": run.run_id,
        "creator_user_name": "local",
        "run_name": run.submission.name,
        "run_type": "SUBMIT_RUN",
        "trigger": "ONE_TIME",
        "format": "MULTI_TASK",
        "run_page_url": run_page_url(url, run.run_id),
        **_state(run.life_cycle, run.end, run.message, run.stop),
        **_times(run.times),
        "setup_duration": 0,
        "execution_duration": 0,
        "cleanup_duration": 0,
        "run_duration": _between(run.times.submitted, run.times.ended),
    }
    if tasks:
        page = range(offset, min(offset + PAGE, len(run.tasks)))
        shown["tasks"] = [_task(run, index, url) for index in page]
        if page.stop < len(run.tasks):
            shown["next_page_token"] = str(page.stop)
    return shown


def shape_task(run: Run, task_run_id: int, url: str) -> dict[str, Any]:
    """Return a task as a run of its own, as ``runs/get`` shows it by the task's run id."""
    index = [task.run_id for task in run.tasks].index(task_run_id)
    shared = shape(run, url, tasks=False)
    names = ("job_id", "job_run_id", "run_name", "run_type", "trigger", "creator_user_name")
    task = _task(run, index, url)
    return {name: shared[name] for name in names} | task | {"tasks": [task]}


def _task(run: Run, index: int, url: str) -> dict[str, Any]:
    task = run.tasks[index]
    return {
        **run.submission.payload["tasks"][index],
        "run_id": task.run_id,
        "attempt_number": 0,
        "run_if": "ALL_SUCCESS",
        "run_page_url": run_page_url(url, task.run_id),
        **_state(task.life_cycle, task.end, _task_message(run, task), run.stop),
        **_times(task.times),
        "setup_duration": _between(task.times.submitted, task.times.started),
        "execution_duration": _between(task.times.started, task.times.ended),
        "cleanup_duration": 0,
    }


def _task_message(run: Run, task: TaskRun) -> str:
    return run.message if task.life_cycle is LifeCycle.PENDING else ""


def _times(times: Times) -> dict[str, int]:
    return {"start_time": times.submitted, "end_time": times.ended}


def _between(first: int, last: int) -> int:
    return max(0, last - first) if first and last else 0


def _state(life_cycle: LifeCycle, end: End | None, message: str, stop: Stop | None) -> dict[str, Any]:
    state: dict[str, Any] = {
        "life_cycle_state": life_cycle,
        "state_message": end.message if end is not None else message,
        "user_cancelled_or_timedout": stop is not None,
    }
    if life_cycle is LifeCycle.QUEUED:
        state["queue_reason"] = _WAITING
    status: dict[str, Any] = {"state": life_cycle}
    if life_cycle is LifeCycle.QUEUED:
        status["queue_details"] = {"code": "ACTIVE_RUNS_LIMIT_REACHED", "message": _WAITING}
    if end is not None:
        status["state"] = LifeCycle.TERMINATED
        status["termination_details"] = {
            "code": end.code,
            "type": end.code.type,
            "message": end.message,
        }
        state["user_cancelled_or_timedout"] = end.result in (Result.CANCELED, Result.TIMEDOUT)
        if end.result is not None:
            state["result_state"] = end.result
    return {"state": state, "status": status}
