"""Processes that carry a mark in their environment, which all that descend from them inherit.

Airflow's and the workspace's processes start others in groups and sessions of their own, and those may
outlive whoever started them. The mark finds them all the same. Airflow's workers keep their environment from
everybody but root once they have run a task; they stay in the session of the scheduler, and that tells them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_FOLDER = "DATALOADER_DEMO"
_PART = "DATALOADER_DEMO_PART"

#: Seconds between being killed and being gone, on a machine whose disks do not answer.
_KILLED_SECONDS = 10.0
_POLL_SECONDS = 0.02
#: Seconds in which a process that has begun to run another program has its environment, however busy all is.
_EXEC_SECONDS = 10.0


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
        """Return those that live and carry the mark, or hide what they carry in a session that is marked.

        That is one whose leader carries it.
        """
        return self._find(set())

    def kill(self, sessions: Collection[int] = ()) -> None:
        """End them all at once, also what they start meanwhile.

        ``sessions``: others that are marked, whose leaders may have ended.
        """
        known = set(sessions)
        until = time.monotonic() + _KILLED_SECONDS
        while found := self._find(known):
            _signal(found, signal.SIGKILL)
            _wait(found, _KILLED_SECONDS)
            # Only now: the look itself may have taken all the time there was, and nothing was killed then.
            if time.monotonic() >= until:
                return

    def end(self, seconds: float) -> None:
        """Ask those that lead the others to end; kill what is left then, or after so many seconds."""
        known: set[int] = set()
        found = self._find(known)
        marked = {process.pid for process in found}
        leading = [process for process in found if _parent(process) not in marked]
        _signal(leading, signal.SIGTERM)
        _wait(leading, seconds)
        self.kill(known)

    def _find(self, sessions: set[int]) -> list[psutil.Process]:
        """Return all of them, and note the sessions that one of them leads."""
        seen = _Seen()
        self._sort(psutil.process_iter(), seen)
        until = time.monotonic() + _EXEC_SECONDS
        while seen.unsettled and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            again, seen.unsettled = seen.unsettled, []
            self._sort(again, seen)
        leaders = {process.pid for process in seen.marked if _session(process) == process.pid}
        sessions |= leaders
        # A number whose leader has gone may be somebody else's by now.
        theirs = {number for number in sessions if number in leaders or not _exists(number)}
        return seen.marked + [process for process in seen.hidden if _session(process) in theirs]

    def _sort(self, processes: Iterable[psutil.Process], seen: _Seen) -> None:
        for process in processes:
            try:
                environment = _environment(process)
            except psutil.AccessDenied:
                if _is_hidden(process):
                    seen.hidden.append(process)
                continue
            except (psutil.Error, OSError):
                # Gone, or a zombie.
                continue
            if environment is None:
                seen.unsettled.append(process)
            elif self._is_on(environment):
                seen.marked.append(process)

    def _is_on(self, environment: Mapping[str, str]) -> bool:
        here = _FOLDER in environment and Path(environment[_FOLDER]).is_relative_to(self.folder)
        return here and self.part in {"", environment.get(_PART)}


@dataclass
class _Seen:
    """Processes by what their environment says."""

    marked: list[psutil.Process] = field(default_factory=list)
    #: They cannot be told yet.
    unsettled: list[psutil.Process] = field(default_factory=list)
    #: They are our user's, and let nobody look.
    hidden: list[psutil.Process] = field(default_factory=list)


def _is_hidden(process: psutil.Process) -> bool:
    """Whether it lives and is our own user's; of others nobody expects that they can be looked into."""
    with contextlib.suppress(psutil.Error):
        return lives(process) and process.uids().real == os.getuid()
    return False


def _exists(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return lives(psutil.Process(pid))
    return False


def _session(process: psutil.Process) -> int | None:
    """Return the number of its session, which no other process gets while somebody is in it."""
    with contextlib.suppress(OSError):
        return os.getsid(process.pid)
    return None


def _environment(process: psutil.Process) -> Mapping[str, str] | None:
    """Return a process's environment; None: it has just begun to run another program, and has none yet.

    The kernel's own threads have no program. PostgreSQL writes its processes' titles over all that was
    there: zeros are an environment too, or each look would wait for a server that is somebody else's.
    """
    try:
        written = Path(f"/proc/{process.pid}/environ").read_bytes()
    except PermissionError as error:
        raise psutil.AccessDenied(process.pid) from error
    except FileNotFoundError:
        # Gone, or a system that has no such file, on which the library's look has to do.
        return process.environ()
    if written:
        pairs = (os.fsdecode(pair).partition("=") for pair in written.split(b"\0"))
        return {name: value for name, _, value in pairs}
    return {} if not process.exe() or not lives(process) or _has_none(process.pid) else None


def _has_none(pid: int) -> bool:
    """Return whether a process has got an environment, and nothing is in it.

    Asked for by where that begins and ends, which are one answer: of one that runs program after program, two
    looks at the environment itself may fall into two beginnings. Fields 50 and 51 of proc_pid_stat(5).
    """
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    begins, ends = int(fields[47]), int(fields[48])
    return begins == ends != 0


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
