"""Waiting with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from airflow_dataloader.exceptions import TransientError

T = TypeVar("T")


class Deadline:
    """Waits for one thing, for so many seconds in all."""

    def __init__(self, what: str, seconds: float, pause: Callable[[], None], *, fix: str) -> None:
        """``pause`` waits a moment, and raises if waiting has become pointless."""
        self._error = TransientError(f"{what} took more than {seconds:.0f} s.", fix=fix)
        self._until = time.monotonic() + seconds
        self._pause = pause

    def pause(self) -> None:
        """Wait a moment; raise TransientError if there were too many."""
        if time.monotonic() > self._until:
            raise self._error
        self._pause()

    def until(self, happened: Callable[[], bool]) -> None:
        """Return when it has happened."""
        while not happened():
            self.pause()

    def insist(self, action: Callable[[], T]) -> T:
        """Return what the action returns, once the database or server that it needs is there."""
        while True:
            try:
                return action()
            except (psycopg.OperationalError, TransientError):
                self.pause()
