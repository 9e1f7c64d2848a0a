"""Waiting for what must happen, on a machine of any speed."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds that something may take on a busy machine; nothing is concluded from how long it took.
PATIENCE = 120.0


def eventually(what: str, happened: Callable[[], object], *, seconds: float = PATIENCE) -> None:
    """Wait until something has happened; fail the test, naming it, if it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


def until(happened: Callable[[], object]) -> None:
    """Wait until something has happened that its condition names well enough."""
    eventually("it", happened)
