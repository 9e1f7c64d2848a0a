"""What the domain asks of whoever runs loads: the state of a run, and to cancel one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class RunState(StrEnum):
    """The state of a run, reduced to what a decision needs."""

    #: Waiting for a cluster, a library or an earlier run.
    PENDING = "pending"
    RUNNING = "running"
    #: Over, in whatever way; ``reason`` says how.
    ENDED = "ended"
    #: The workspace that has started it answers that there is no such run.
    GONE = "gone"
    #: It cannot be asked about: its workspace is another one, or gives no answer that says anything.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as its API describes it."""

    state: RunState
    #: The run's own words about its end, free of secrets.
    reason: str = ""
    #: It ended because somebody cancelled it, or at its time limit.
    cancelled: bool = False
    termination_code: str | None = None


class RunApiUnavailable(Exception):
    """The API could not be asked; nothing may be concluded."""


class RunApi(Protocol):
    """The Jobs API, or the local workspace's. ``--local`` has none."""

    def state(self, workspace_host: str | None, databricks_run: str) -> Run:
        """Return the run's state; raise :class:`RunApiUnavailable` if it cannot be asked."""

    def cancel(self, workspace_host: str | None, databricks_run: str) -> None:
        """Ask for the run's end; return at once. Cancelling an ended run is fine."""
