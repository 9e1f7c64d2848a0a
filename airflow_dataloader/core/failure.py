"""What is recorded of a load that failed: facts, so that rules can decide without reading prose."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from airflow_dataloader.exceptions import DataloaderError, OutcomeUnknown, TransientError


class Phase(StrEnum):
    """Where a load was when it ended."""

    CLAIM = "claim"
    START = "start"
    CONNECT = "connect"
    PLAN = "plan"
    FENCE = "fence"
    STAGE = "stage"
    PUBLISH = "publish"
    #: Somewhere after the claim: whoever ended the load was not its loader, and cannot know.
    RUN = "run"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """``historical_metadata.failure``, as JSON. ``message`` is free of secrets."""

    phase: Phase
    #: Name of the error class (:mod:`airflow_dataloader.exceptions`).
    error: str
    message: str
    transient: bool
    #: True when a write of this load may still land at the target: the next load must fence first.
    outcome_unknown: bool = False
    field: str | None = None
    fix: str | None = None
    sqlstate: str | None = None
    vendor_code: str | None = None
    #: What stands although the load failed, and what a person should know of it.
    besides: str | None = None
    #: Termination code of the Databricks run, where one is known.
    termination_code: str | None = None

    @classmethod
    def of(cls, error: BaseException, phase: Phase) -> Failure:
        """Describe ``error``; only our own errors carry facts, any other is named by its class."""
        if not isinstance(error, DataloaderError):
            text = f"{type(error).__name__}: {error}"
            return cls(phase=phase, error=type(error).__name__, message=text, transient=False)
        return cls(
            phase=phase,
            error=type(error).__name__,
            message=error.message,
            transient=isinstance(error, TransientError),
            outcome_unknown=isinstance(error, OutcomeUnknown),
            field=error.field,
            fix=error.fix,
            sqlstate=error.sqlstate,
            vendor_code=error.vendor_code,
        )

    @property
    def sentence(self) -> str:
        """What a person reads: the message, the fix where one is known, and what stands besides."""
        fix = f"Fix: {self.fix}." if self.fix else None
        return " ".join(part for part in (self.message, fix, self.besides) if part)

    def as_json(self) -> dict[str, Any]:
        """Return the facts that are known, for a JSON column."""
        return {key: value for key, value in asdict(self).items() if value is not None}
