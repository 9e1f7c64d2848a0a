"""States of runs in the Jobs API's words, and the ends that a run can come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LifeCycle(StrEnum):
    """``life_cycle_state``; the last three are ends."""

    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"
    SKIPPED = "SKIPPED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


#: Nothing follows on these.
ENDS = (LifeCycle.TERMINATED, LifeCycle.SKIPPED, LifeCycle.INTERNAL_ERROR)


class Result(StrEnum):
    """``result_state``."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"


class Code(StrEnum):
    """``termination_details.code``, as far as this workspace comes to them."""

    SUCCESS = "SUCCESS"
    USER_CANCELED = "USER_CANCELED"
    #: Stopped by the workspace: maximum run time exceeded, or the workspace itself was stopped.
    CANCELED = "CANCELED"
    SKIPPED = "SKIPPED"
    RUN_EXECUTION_ERROR = "RUN_EXECUTION_ERROR"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    INTERNAL_ERROR = "INTERNAL_ERROR"

    @property
    def type(self) -> str:
        """``termination_details.type``."""
        if self in (Code.SUCCESS, Code.USER_CANCELED):
            return "SUCCESS"
        return "INTERNAL_ERROR" if self is Code.INTERNAL_ERROR else "CLIENT_ERROR"


@dataclass(frozen=True, kw_only=True)
class End:
    """How a run, or a task of it, ended."""

    code: Code
    result: Result | None
    message: str = ""
    life_cycle: LifeCycle = LifeCycle.TERMINATED


class Stop(StrEnum):
    """Why a run is to end before its time."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"


SUCCEEDED = End(code=Code.SUCCESS, result=Result.SUCCESS)
_STOPPED = {
    Stop.CANCEL: End(code=Code.USER_CANCELED, result=Result.CANCELED, message="Run cancelled."),
    Stop.TIMEOUT: End(code=Code.CANCELED, result=Result.TIMEDOUT, message="Run exceeded its timeout."),
    Stop.SHUTDOWN: End(
        code=Code.CANCELED, result=Result.CANCELED, message="The workspace was stopped during the run."
    ),
}


def stopped(reason: Stop) -> End:
    """Return the end of what was stopped."""
    return _STOPPED[reason]


def exited(code: int) -> End:
    """Return the end of a task whose process ended by itself."""
    if code == 0:
        return SUCCEEDED
    return End(
        code=Code.RUN_EXECUTION_ERROR,
        result=Result.FAILED,
        message="Workload failed, see run output for details.",
    )


def broken(message: str, code: Code = Code.INTERNAL_ERROR) -> End:
    """Return the end of what the workspace could not run, or lost sight of."""
    return End(code=code, result=Result.FAILED, message=message, life_cycle=LifeCycle.INTERNAL_ERROR)


def skipped(message: str, result: Result | None = None) -> End:
    """Return the end of what never ran."""
    return End(code=Code.SKIPPED, result=result, message=message, life_cycle=LifeCycle.SKIPPED)


def upstream(end: End) -> End:
    """Return the end of a task that waited for one which ended as ``end``."""
    if end.result in (Result.CANCELED, Result.UPSTREAM_CANCELED):
        return skipped("An upstream task was canceled.", Result.UPSTREAM_CANCELED)
    return skipped("An upstream task failed.", Result.UPSTREAM_FAILED)


def whole(ends: dict[str, End], stop: Stop | None) -> End:
    """Return the end of a run from those of its tasks by key."""
    if stop is not None and any(end.result is not Result.SUCCESS for end in ends.values()):
        return stopped(stop)
    for key, end in ends.items():
        if end.life_cycle is not LifeCycle.SKIPPED and end.result is not Result.SUCCESS:
            # As measured on Databricks: the task is TERMINATED, its run is an INTERNAL_ERROR.
            return End(
                code=end.code,
                result=end.result,
                message=f"Task {key} failed with message: {end.message}",
                life_cycle=LifeCycle.INTERNAL_ERROR,
            )
    return SUCCEEDED
