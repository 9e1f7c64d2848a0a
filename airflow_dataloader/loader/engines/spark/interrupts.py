"""Stops a running statement from another thread, and makes sure that it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_dataloader.exceptions import EngineFailed

#: Seconds between two cancellations of one statement: it may be between two jobs when the first arrives.
_AGAIN = 0.2


class Interrupts:
    """Knows whether a verb runs, and whether a statement of it has not ended."""

    def __init__(self, cancel: Callable[[], bool]) -> None:
        """``cancel`` stops what the session runs, and returns whether it found something to stop."""
        self._cancel = cancel
        self._changed = threading.Condition()
        self._verbs = 0
        self._statements = 0
        self._stopping = False

    @contextmanager
    def verb(self) -> Iterator[None]:
        """Enclose one verb; an interrupt ends this verb and not the next."""
        with self._changed:
            if self._verbs == 0:
                self._stopping = False
            self._verbs += 1
        try:
            yield
        finally:
            with self._changed:
                self._verbs -= 1

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Enclose a statement that an interrupt may stop; raise EngineFailed if the verb was interrupted."""
        with self._changed:
            if self._stopping:
                raise interrupted()
            self._statements += 1
        try:
            yield
        finally:
            with self._changed:
                self._statements -= 1
                self._changed.notify_all()

    @property
    def stopping(self) -> bool:
        """Whether the verb under way has been told to stop."""
        return self._stopping

    @property
    def busy(self) -> bool:
        """Whether a statement runs: it may take long yet, or commit something."""
        return self._statements > 0

    def interrupt(self) -> None:
        """Stop the verb under way and return when its statement has ended, so that nothing lands later."""
        with self._changed:
            self._stopping = self._verbs > 0
            orphaned = not self._stopping
        if orphaned:
            # Nobody waits here, but a caller that was torn away may have left a statement running.
            while self._cancel():
                time.sleep(_AGAIN)
            return
        while self._statements:
            self._cancel()
            with self._changed:
                self._changed.wait_for(lambda: self._statements == 0, timeout=_AGAIN)


def interrupted() -> EngineFailed:
    """Return the error of a verb that was told to stop."""
    return EngineFailed("The statement was interrupted; nothing of it was committed.")
