"""A run and its tasks as the workspace keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dataloader.workspace.jobs.states import End, LifeCycle, Stop


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """A task as it was submitted."""

    key: str
    python_file: str
    parameters: tuple[str, ...] = ()
    #: Keys of the tasks that must have succeeded before.
    depends_on: tuple[str, ...] = ()
    #: Seconds; 0 for no limit.
    timeout: int = 0


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What ``runs/submit`` asked for."""

    name: str
    tasks: tuple[TaskSpec, ...]
    idempotency_token: str | None = None
    timeout: int = 0
    #: Whether the run waits as QUEUED rather than PENDING.
    queued: bool = False
    #: The request's tasks and settings, to be shown again as they came.
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds since 1970; 0 for what has not happened."""

    submitted: int
    started: int = 0
    ended: int = 0


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """One task of one run."""

    run_id: int
    spec: TaskSpec
    life_cycle: LifeCycle
    times: Times
    end: End | None = None
    #: Its process, known again by number and birth.
    pid: int | None = None
    born: str | None = None
    #: Its Spark Connect session, and the server that has it; None: not on record.
    session: str | None = None
    server: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One submitted run."""

    run_id: int
    submission: Submission
    life_cycle: LifeCycle
    times: Times
    tasks: tuple[TaskRun, ...]
    end: End | None = None
    stop: Stop | None = None
    message: str = ""

    @property
    def begun(self) -> bool:
        """Whether a process of one of its tasks is on record."""
        return any(task.pid is not None for task in self.tasks)

    def task(self, task_run_id: int) -> TaskRun:
        """Return the task with this run id."""
        return next(task for task in self.tasks if task.run_id == task_run_id)
