"""Whether anything comes from the source while a load waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.sessions.protocol import Activity, SourceSession

log = logging.getLogger(__name__)


class Watchdog:
    """Looks at the source every few seconds, from a thread of its own: a look that hangs is no movement.

    A load that waits for nothing of the source moves by definition: what the engine does with the rows that
    it has is limited by the row's maximum runtime alone. ``waits`` tells whether it waits for something now.
    """

    def __init__(self, *, pause: float, waits: Callable[[], bool]) -> None:
        self._pause = pause
        self._waits = waits
        self._moved = True
        self._session: SourceSession | None = None
        self._ended = threading.Event()

    @contextmanager
    def watching(self, session: SourceSession) -> Iterator[None]:
        """Watch what the load does at the source until the block ends."""
        self._session = session
        thread = threading.Thread(target=self._run, args=(session,), name="source-watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # Not waited for: its look may hang for as long as the source does.
            self._ended.set()
            self._session = None

    def moved(self) -> bool:
        """Return whether there was movement since the last call."""
        moved, self._moved = self._moved or self._session is None or not self._waits(), False
        return moved

    def abandon(self) -> None:
        """Let a question to the source that is under way fail at once."""
        session = self._session
        if session is not None:
            session.abandon()

    def _run(self, session: SourceSession) -> None:
        last: Activity | None = None
        while not self._ended.wait(self._pause):
            try:
                now = session.activity()
            except SourceUnavailable as error:
                if not self._ended.is_set():
                    log.warning("The source cannot be looked at: %s", error)
                continue
            except Exception as error:
                # It answers and does not let us look, or this process cannot look: that is no silence of its.
                log.warning("What the source does cannot be seen: %s", error)
                log.debug("This is where it happened:", exc_info=True)
                now = None
            if now is None or now.busy or now != last:
                self._moved = True
            last = now
