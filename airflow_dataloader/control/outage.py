"""Waiting out a control database that is away for a while."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from airflow_dataloader.exceptions import ControlUnavailable

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

#: Seconds that a loader waits for the control database before its load has begun.
START_PATIENCE = 120.0

#: Seconds between two looks whether the answer is waited for still.
_LOOK = 0.2


def retry_while_away(
    call: Callable[[], _Answer],
    *,
    until: float,
    longest: float = 5.0,
    stopped: Callable[[], bool] = lambda: False,
) -> _Answer:
    """Return ``call()``, tried again while the control database is away, until the monotonic time ``until``.

    Pauses grow from half a second to ``longest`` seconds, with jitter so that many loaders do not come back
    at once. ``call`` must be repeatable: its first try may have been carried out and its answer lost.
    ``stopped`` says that the answer is not waited for any more. Raises ControlUnavailable.
    """
    pause = 0.5
    while True:
        try:
            return call()
        except ControlUnavailable as error:
            if stopped() or time.monotonic() + pause > until:
                raise
            log.warning("The control database is away, trying again in %.1f s: %s", pause, error)
            _sleep(pause * random.uniform(0.7, 1.3), stopped)  # noqa: S311  jitter, not a secret
            if stopped():
                raise
        pause = min(pause * 2, longest)


def _sleep(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleep, but not on when ``stopped``: a signal's handler that returns does not end a sleep."""
    until = time.monotonic() + seconds
    while not stopped() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, _LOOK))
