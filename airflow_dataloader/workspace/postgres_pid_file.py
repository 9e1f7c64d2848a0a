"""``postmaster.pid``: what a PostgreSQL server says about itself, and what a dead one left behind."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from airflow_dataloader.exceptions import ConfigurationError

#: Line of the file that holds the server's state, counted from 0.
_STATE_LINE = 7
#: Signals for a server that nobody owns any more, each with the seconds it gets.
_STOPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True)
class PidFile:
    """The pid file of one cluster."""

    path: Path

    def says_ready(self, pid: int) -> bool:
        """Whether the server ``pid`` wrote this file and takes connections."""
        lines = self._lines()
        return len(lines) > _STATE_LINE and lines[0] == str(pid) and lines[_STATE_LINE].strip() == "ready"

    def clear_orphan(self) -> None:
        """End the server that the file names, if it still runs, and remove the file.

        Call this only while holding the folder's lock: nobody else may have a use for that server. A
        number that now belongs to some other program is left alone.
        """
        server = self._server()
        if server is not None:
            _end(server)
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        try:
            return self.path.read_text().splitlines()
        except FileNotFoundError:
            return []

    def _server(self) -> psutil.Process | None:
        """Return the living server of this very cluster, known by the command it was started with."""
        lines = self._lines()
        if not lines or not lines[0].isdigit():
            return None
        try:
            process = psutil.Process(int(lines[0]))
            command = process.cmdline()
        except psutil.Error:
            return None
        ours = str(self.path.parent) in command and any(word.endswith("postgres") for word in command)
        return process if ours else None


def _end(server: psutil.Process) -> None:
    for number, seconds in _STOPS:
        try:
            server.send_signal(number)
            server.wait(seconds)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            if server.status() == psutil.STATUS_ZOMBIE:
                return
        else:
            return
    raise ConfigurationError(
        f"A PostgreSQL server (process {server.pid}) is left from an earlier run and cannot be ended.",
        fix=f"end process {server.pid}, and start again",
    )
