"""Ctrl-C and SIGTERM, which libraries on the way may turn into errors of their own, or swallow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_seen = threading.Event()


def listen() -> None:
    """Raise KeyboardInterrupt in the main thread at either signal from now on, whoever listened before.

    Does nothing in another thread, where Python takes no handlers: a cluster's own ways of ending us remain.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            signal.signal(number, _raise)


@contextmanager
def listening() -> Iterator[None]:
    """Listen while the block runs, then leave the signals to whoever had them, and forget those that came."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    listen()
    try:
        yield
    finally:
        _seen.clear()
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def listen_again() -> None:
    """Listen where :func:`listen` was called in this process: the commands do, a library must not.

    For the moment after Spark has started in this process: its own handler talks to Java in the middle of
    whatever else is being said to it.
    """
    if signal.getsignal(signal.SIGTERM) is _raise:
        listen()


def seen() -> bool:
    """Return whether a signal has come, even if what it raised got lost."""
    return _seen.is_set()


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come."""
    if seen():
        raise KeyboardInterrupt


def _raise(_number: int, _frame: Any) -> None:
    _seen.set()
    raise KeyboardInterrupt
