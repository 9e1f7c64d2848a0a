"""Processes that carry a mark in their environment, which all that descend from them inherit.

Airflow's and the workspace's processes start others in groups and sessions of their own, and those may
outlive whoever started them. The mark finds them all the same.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_FOLDER = "DATALOADER_DEMO"
_PART = "DATALOADER_DEMO_PART"

#: Seconds between being killed and being gone, on a machine whose disks do not answer.
_KILLED_SECONDS = 10.0
_POLL_SECONDS = 0.02
#: Seconds in which a process that has begun to run another program has its environment.
_EXEC_SECONDS = 1.0


@dataclass(frozen=True)
class Mark:
    """The mark of the processes of a folder and of those below it, or of one part among them."""

    folder: Path
    #: Empty: of all parts.
    part: str = ""

    def environment(self) -> dict[str, str]:
        """Return what marks a process."""
        # Whoever changes the title of a process would otherwise write it over what we look for.
        return {_FOLDER: str(self.folder), _PART: self.part, "SPT_NOENV": "1"}

    def processes(self) -> list[psutil.Process]:
        """Return those that live and carry the mark."""
        found, unsettled = self._sort(psutil.process_iter())
        until = time.monotonic() + _EXEC_SECONDS
        while unsettled and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            more, unsettled = self._sort(unsettled)
            found += more
        return found

    def kill(self) -> None:
        """End them all at once, also what they start meanwhile."""
        until = time.monotonic() + _KILLED_SECONDS
        while (found := self.processes()) and time.monotonic() < until:
            _signal(found, signal.SIGKILL)
            _wait(found, _KILLED_SECONDS)

    def end(self, seconds: float) -> None:
        """Ask those that lead the others to end; kill what is left after so many seconds."""
        found = self.processes()
        marked = {process.pid for process in found}
        _signal([process for process in found if _parent(process) not in marked], signal.SIGTERM)
        _wait(found, seconds)
        self.kill()

    def _sort(self, processes: Iterable[psutil.Process]) -> tuple[list[psutil.Process], list[psutil.Process]]:
        """Return those that carry the mark, and those that cannot be told yet."""
        marked, unsettled = [], []
        for process in processes:
            try:
                environment = _environment(process)
            except (psutil.Error, OSError):
                # Gone, a zombie, or somebody else's.
                continue
            if environment is None:
                unsettled.append(process)
            elif self._is_on(environment):
                marked.append(process)
        return marked, unsettled

    def _is_on(self, environment: Mapping[str, str]) -> bool:
        here = _FOLDER in environment and Path(environment[_FOLDER]).is_relative_to(self.folder)
        return here and self.part in {"", environment.get(_PART)}


def _environment(process: psutil.Process) -> Mapping[str, str] | None:
    """Return a process's environment; None: it has just begun to run another program, and has none yet.

    It has a program by then, and gets arguments and environment at once. The kernel's own threads have none
    of these, and a process that was started without an environment has the other two.
    """
    environment = process.environ()
    if environment or not process.exe():
        return environment
    # Read again: it may have got them between the looks.
    return process.environ() if process.cmdline() else None


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _wait(processes: list[psutil.Process], seconds: float) -> None:
    """Return when all have ended, or after so many seconds; a zombie is its parent's affair."""
    until = time.monotonic() + seconds
    while any(lives(process) for process in processes) and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; a zombie has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
