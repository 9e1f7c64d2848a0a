"""A process of the demo, with whatever it starts: begun, looked at, ended."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from airflow_dataloader.private_file import open_private_log
from airflow_dataloader.workspace.demo.marked_processes import Mark


class Part(Protocol):
    """What a supervisor looks after."""

    @property
    def name(self) -> str:
        """Name for people."""

    @property
    def log_file(self) -> Path:
        """What it had to say."""

    @property
    def running(self) -> bool:
        """Whether it lives."""

    def start(self) -> None:
        """Start it, as at first or where it has died."""

    def ask_to_stop(self) -> None:
        """Let it begin to end, if it can do so while others do."""

    def stop(self) -> None:
        """Return when it has ended, with all that it started."""


@dataclass(frozen=True, kw_only=True)
class PartSpec:
    """How a process is started."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    #: Folder whose mark it carries, and where it runs.
    folder: Path
    log_file: Path
    #: What it gets to end by itself.
    stop_seconds: float = 20.0
    #: What it started is found again by its successor, and must not be ended before.
    adopts: bool = False


class ProcessPart:
    """A command that stays, in a session of its own: a Ctrl-C at the terminal is not for it."""

    def __init__(self, spec: PartSpec) -> None:
        self.spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Name for people."""
        return self.spec.name

    @property
    def log_file(self) -> Path:
        """What it had to say, over all its starts."""
        return self.spec.log_file

    @property
    def running(self) -> bool:
        """Whether the process that was started last lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the last start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def _sessions(self) -> tuple[int, ...]:
        """The session that the last start leads, or has left."""
        return () if self._process is None else (self._process.pid,)

    @property
    def mark(self) -> Mark:
        """What it and all that it starts carry."""
        return Mark(self.spec.folder, self.name)

    def start(self) -> None:
        """Start it; nothing happens if it runs. What a dead one has left is ended first."""
        if self.running:
            return
        if not self.spec.adopts:
            self.mark.kill(self._sessions)
        with open_private_log(self.log_file) as log:
            self._process = subprocess.Popen(
                list(self.spec.command),
                env={**self.spec.environment, **self.mark.environment()},
                cwd=self.spec.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> int:
        """Return its exit code when it has ended by itself."""
        return self._process.wait() if self._process is not None else 0

    def ask_to_stop(self) -> None:
        """Ask it to end, and go on."""
        if self.running and self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once; what it has left is ended by its next start, or by :meth:`stop`."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Ask it to end, kill it if it takes too long, and end what it has left. Twice is fine."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(self.spec.stop_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.mark.kill(self._sessions)
