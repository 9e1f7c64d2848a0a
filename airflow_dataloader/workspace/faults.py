"""Faults on purpose, for tests of whoever talks to a workspace: only with ``--faults``."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from airflow_dataloader.workspace.api_error import invalid

#: Longest delay in seconds.
_MOST_SECONDS = 600.0


class Kind(StrEnum):
    """What can go wrong."""

    #: Wait ``seconds``, then answer.
    LATENCY = "latency"
    #: Answer ``status`` and do nothing; 429 with ``Retry-After: seconds``.
    STATUS = "status"
    #: Do what was asked, and break the connection off instead of answering.
    LOST_ANSWER = "lost_answer"
    #: ``runs/submit``: answer with a run that nobody knows afterwards.
    LOST_RUN = "lost_run"
    #: ``runs/submit``: the run ends SKIPPED at once.
    SKIPPED = "skipped"
    #: ``runs/submit``: the run ends INTERNAL_ERROR at once.
    INTERNAL_ERROR = "internal_error"
    #: ``runs/submit``: the run ends TIMEDOUT at once.
    TIMED_OUT = "timed_out"
    #: ``runs/submit``: the run ends CANCELED at once.
    CANCELED = "canceled"


#: A submission meets one of these at a time: a run ends in one way.
_OF_SUBMIT = (Kind.LOST_RUN, Kind.SKIPPED, Kind.INTERNAL_ERROR, Kind.TIMED_OUT, Kind.CANCELED)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: the next ``times`` requests whose path contains ``path`` meet it."""

    kind: Kind
    path: str = ""
    times: int = 1
    seconds: float = 0.0
    status: int = 500

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Fault:
        """Return the fault that a request describes; raise ApiError if it cannot be read."""
        unknown = body.keys() - set(cls.__dataclass_fields__)
        if unknown:
            raise invalid(f"A fault has no {', '.join(sorted(unknown))}.")
        try:
            kind = Kind(body.get("kind", ""))
            fault = cls(
                kind=kind,
                path="runs/submit" if kind in _OF_SUBMIT else str(body.get("path", "")),
                times=int(body.get("times", 1)),
                seconds=float(body.get("seconds", 0.0)),
                status=int(body.get("status", 500)),
            )
        except (TypeError, ValueError) as error:
            raise invalid(f"A fault cannot be read: {error}.") from None
        if not (fault.times > 0 and 0 <= fault.seconds <= _MOST_SECONDS and 400 <= fault.status < 600):
            raise invalid("times must be positive, seconds 0 to 600, status 400 to 599.")
        return fault

    def shape(self) -> dict[str, Any]:
        """Return the fault as it is shown."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Faults:
    """The faults that are still to come, each used up by the requests that meet it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._coming: list[Fault] = []

    def add(self, faults: list[Fault]) -> None:
        """Let these come, after those that are there."""
        with self._lock:
            self._coming += faults

    def clear(self) -> None:
        """Let no more come."""
        with self._lock:
            self._coming.clear()

    def coming(self) -> list[Fault]:
        """Return what is still to come."""
        with self._lock:
            return list(self._coming)

    def meet(self, path: str) -> list[Fault]:
        """Return the faults that this request meets, the first of each kind, and use each up once."""
        with self._lock:
            met: dict[Kind | None, int] = {}
            for index, fault in enumerate(self._coming):
                if fault.path in path:
                    met.setdefault(None if fault.kind in _OF_SUBMIT else fault.kind, index)
            found = [self._coming[index] for index in met.values()]
            for index in met.values():
                self._coming[index] = replace(self._coming[index], times=self._coming[index].times - 1)
            self._coming = [fault for fault in self._coming if fault.times > 0]
            return found
