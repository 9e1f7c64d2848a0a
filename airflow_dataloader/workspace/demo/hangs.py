"""Ends a component of Airflow that lives and does nothing any more, so that its supervisor starts it again.

Above all a scheduler whose database went away: it waits for its workers before it ends, and of those that the
same accident has ended it never hears.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from airflow_dataloader.workspace.demo.part import ProcessPart

#: Seconds between two looks.
_LOOK = 10.0
#: Seconds for which Airflow must not have heard of a component, beyond the half minute that makes it say so.
_SILENT = 60.0


class Hangs:
    """Looks after components that a supervisor keeps: it sees who has ended, but not who hangs."""

    def __init__(
        self,
        unheard: Callable[[], Collection[str]],
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``unheard`` names those that have been heard of, but not lately; none where nobody can say."""
        self._unheard = unheard
        self._report = report
        self._clock = clock
        self._parts: list[ProcessPart] = []
        self._since: dict[str, float] = {}
        self._due = 0.0

    def watch(self, part: ProcessPart) -> None:
        """Look after a component from now on."""
        self._parts.append(part)

    def look(self) -> None:
        """End what has not been heard of for too long; most calls return at once."""
        now = self._clock()
        if not self._parts or now < self._due:
            return
        self._due = now + _LOOK
        unheard = self._unheard()
        self._since = {name: self._since.get(name, now) for name in unheard}
        for part in self._parts:
            if now - self._since.get(part.name, now) >= _SILENT:
                # Its successor needs time before it is heard of.
                del self._since[part.name]
                self._report(f"The {part.name} hangs, and is ended; its log is {part.log_file}.")
                part.kill()
