"""Reads the body of ``runs/submit``: the shape with ``tasks``, and the older one with a single task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_dataloader.workspace.api_error import ApiError, invalid
from airflow_dataloader.workspace.jobs.model import Submission, TaskSpec

#: Characters of an idempotency token, and bytes of a task's parameters as JSON, as on Databricks.
LONGEST_TOKEN = 64
LONGEST_PARAMETERS = 10_000
MOST_TASKS = 100
_LARGEST = 2**63 - 1

_TASK = "spark_python_task"
#: Where the older shape has its only task.
_SINGLE = (_TASK, "existing_cluster_id", "new_cluster", "libraries")
_NAMELESS = "Untitled"


def read_submission(body: Mapping[str, Any]) -> Submission:
    """Return what ``body`` asks for, or raise ApiError naming the field at fault."""
    tasks = body.get("tasks")
    if tasks is None:
        tasks = [{"task_key": "task"} | {name: body[name] for name in _SINGLE if name in body}]
    if not isinstance(tasks, list) or not 0 < len(tasks) <= MOST_TASKS:
        raise invalid(f"'tasks' must be a list of 1 to {MOST_TASKS} tasks.")
    specs = tuple(_task(task) for task in tasks)
    _check_graph(specs)
    token = body.get("idempotency_token") or None
    if token is not None and (not isinstance(token, str) or len(token) > LONGEST_TOKEN):
        raise invalid(f"idempotency_token must be a text of at most {LONGEST_TOKEN} characters.")
    return Submission(
        name=str(body.get("run_name") or _NAMELESS),
        tasks=specs,
        idempotency_token=token,
        timeout=number(body, "timeout_seconds"),
        queued=_is_queued(body.get("queue")),
        payload={"tasks": tasks},
    )


def number(source: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return a whole number of at least 0; Airflow's hook sends numbers as texts."""
    value = source.get(name, default)
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        raise invalid(f"{name} must be a whole number, not {value!r}.") from None
    if not 0 <= found <= _LARGEST:
        raise invalid(f"{name} must be between 0 and {_LARGEST}.")
    return found


def _is_queued(queue: object) -> bool:
    return isinstance(queue, dict) and str(queue.get("enabled")).casefold() == "true"


def _task(task: object) -> TaskSpec:
    if not isinstance(task, dict):
        raise invalid("A task must be an object.")
    key = task.get("task_key")
    if not isinstance(key, str) or not key:
        raise invalid("Every task needs a task_key.")
    script = task.get(_TASK)
    if not isinstance(script, dict):
        kinds = sorted(name for name in task if name.endswith("_task"))
        raise ApiError(
            400,
            "FEATURE_DISABLED",
            f"Task {key} is a {', '.join(kinds) or 'task of no kind'}; only {_TASK} runs here.",
        )
    if number(task, "max_retries"):
        raise invalid(f"Task {key}: max_retries must be 0; whoever submitted a run submits it again.")
    if task.get("run_if", "ALL_SUCCESS") != "ALL_SUCCESS":
        raise invalid(f"Task {key}: run_if must be ALL_SUCCESS.")
    return TaskSpec(
        key=key,
        python_file=_python_file(key, script),
        parameters=_parameters(key, script),
        depends_on=_depends_on(key, task),
        timeout=number(task, "timeout_seconds"),
    )


def _depends_on(key: str, task: Mapping[str, Any]) -> tuple[str, ...]:
    before = task.get("depends_on") or []
    if not isinstance(before, list) or not all(isinstance(item, dict) for item in before):
        raise invalid(f"Task {key}: depends_on must be a list of objects with a task_key.")
    return tuple(str(item.get("task_key")) for item in before)


def _python_file(key: str, script: Mapping[str, Any]) -> str:
    path = script.get("python_file")
    if not isinstance(path, str) or not path.startswith("/") or script.get("source", "WORKSPACE") == "GIT":
        raise invalid(f"Task {key}: python_file must be an absolute path that begins with '/'.")
    return path


def _parameters(key: str, script: Mapping[str, Any]) -> tuple[str, ...]:
    parameters = script.get("parameters") or []
    if not isinstance(parameters, list) or not all(isinstance(item, str) for item in parameters):
        raise invalid(f"Task {key}: parameters must be a list of texts.")
    if len(json.dumps(parameters).encode()) > LONGEST_PARAMETERS:
        raise invalid(f"Task {key}: parameters are longer than {LONGEST_PARAMETERS} bytes.")
    return tuple(parameters)


def _check_graph(tasks: tuple[TaskSpec, ...]) -> None:
    known: set[str] = set()
    waiting = list(tasks)
    if len({task.key for task in tasks}) != len(tasks):
        raise invalid("Every task needs a task_key of its own.")
    while waiting:
        free = [task for task in waiting if known.issuperset(task.depends_on)]
        if not free:
            raise invalid(f"Task {waiting[0].key} depends on itself, or on a task that does not exist.")
        known |= {task.key for task in free}
        waiting = [task for task in waiting if task.key not in known]
