"""How long something may take, whatever becomes of the clock meanwhile."""

from __future__ import annotations

import threading
import time


class Limit:
    """Seconds from a beginning on; 0 for no limit.

    They are counted by the monotonic clock, which nobody sets, and which stands still while the machine
    sleeps. Only what another process saw begin is counted by the wall clock, up to now.
    """

    def __init__(self, seconds: int, began: int = 0) -> None:
        """``began`` is on record, in ms since 1970; 0: it has not begun."""
        self._seconds = seconds
        self._lock = threading.Lock()
        self._began = time.monotonic() - max(0.0, time.time() - began / 1000) if began else None

    def begin(self) -> None:
        """Count from now on, unless it has begun."""
        with self._lock:
            if self._began is None:
                self._began = time.monotonic()

    @property
    def passed(self) -> bool:
        """Whether it took longer."""
        began = self._began
        return bool(self._seconds) and began is not None and time.monotonic() > began + self._seconds
