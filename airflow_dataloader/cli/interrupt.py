"""Ctrl-C and SIGTERM, which libraries on the way may turn into errors of their own, or swallow."""

from __future__ import annotations

import signal
import threading
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_seen = threading.Event()


def listen() -> None:
    """Raise KeyboardInterrupt in the main thread at either signal from now on, whoever listened before.

    Called again after Spark has started in this process: its own handler talks to Java in the middle of
    whatever else is being said to it.
    """
    for number in _SIGNALS:
        signal.signal(number, _raise)


def is_listening() -> bool:
    """Whether :func:`listen` was called in this process: the command line does, a library must not."""
    return signal.getsignal(signal.SIGTERM) is _raise


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come, even if what it raised then got lost."""
    if _seen.is_set():
        raise KeyboardInterrupt


def _raise(_number: int, _frame: Any) -> None:
    _seen.set()
    raise KeyboardInterrupt
