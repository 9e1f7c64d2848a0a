"""One warm Spark server of our own for all runs, watched and replaced."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import psutil

from airflow_dataloader.exceptions import DataloaderError, EngineFailed
from airflow_dataloader.workspace.spark.left_over import end_left_over, note_server
from airflow_dataloader.workspace.spark.protocol import SparkServer, StartSpark
from airflow_dataloader.workspace.spark.sessions import answers, end_session

log = logging.getLogger(__name__)

#: Seconds between two looks at the server.
_LOOK_SECONDS = 1.0
#: Looks between two questions to it, and unanswered questions after which it is replaced.
_ASK_EVERY = 10
_UNANSWERED = 3
#: Seconds between two starts that fail, growing to the last.
_PAUSES = (1.0, 5.0, 15.0, 30.0)


class WarmLease:
    """A task's lease on one server; it is worth nothing at the next one."""

    def __init__(self, server: SparkServer, owner: WarmSpark) -> None:
        self.remote = server.remote
        self._server = server
        self._owner = owner

    def end(self, session: str) -> None:
        """End the session; a server that does not do it is stopped, which ends it as well."""
        try:
            if self._server.pid is not None:
                end_session(self.remote, session)
        except EngineFailed as error:
            log.warning("%s It is replaced.", error)
            self._server.stop()
        finally:
            self._owner.give_back(self)


class DeadLease:
    """What a task holds whose server died with the workspace that started it."""

    remote = ""

    def end(self, session: str) -> None:
        """Do nothing: its server was seen ended."""


class WarmSpark:
    """Starts a server, and another one when it dies, stops answering, or has swollen and nobody uses it."""

    def __init__(self, start: StartSpark, *, log_file: Path, note: Path, most_bytes: int) -> None:
        self._start = start
        self._log_file = log_file
        self._note = note
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._server: SparkServer | None = None
        self._leases: set[WarmLease] = set()
        self._swollen = False
        self._trouble = "Spark is starting."
        self._closing = False
        end_left_over(note)
        self._thread = threading.Thread(target=self._keep, name="spark", daemon=True)
        self._thread.start()

    def lease(self) -> WarmLease | None:
        """Return a lease on the server, or None while there is none that takes new work."""
        with self._changed:
            server = self._server
            if server is None or server.pid is None or self._swollen:
                return None
            lease = WarmLease(server, self)
            self._leases.add(lease)
            return lease

    def adopt(self) -> DeadLease:
        """Return what is left to a task of an earlier workspace: the server died with it."""
        return DeadLease()

    def give_back(self, lease: WarmLease) -> None:
        """Take a lease back."""
        with self._changed:
            self._leases.discard(lease)
            self._changed.notify_all()

    def describe(self) -> str:
        """Return in a line why there is no server now."""
        return self._trouble

    def close(self) -> None:
        """Stop the server."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._server is not None:
            self._server.stop()
        self._thread.join()

    def _keep(self) -> None:
        failures = 0
        while not self._closing:
            try:
                self._serve()
                failures = 0
            except DataloaderError as error:
                self._trouble = f"Spark does not start: {error}"
                log.error("%s", self._trouble)
                self._wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    def _serve(self) -> None:
        """Start a server, and return when it is to be replaced."""
        server = self._start(self._log_file)
        with self._changed:
            self._server = server
        try:
            server.start()
            if server.pid is not None:
                note_server(self._note, server.pid)
            self._trouble = ""
            self._watch(server)
        finally:
            server.stop()
            with self._changed:
                self._server, self._swollen = None, False
            self._trouble = "Spark is starting again."

    def _watch(self, server: SparkServer) -> None:
        looks = unanswered = 0
        while not self._closing:
            pid = server.pid
            if pid is None:
                log.error("The Spark server has ended. Its last words are in %s.", self._log_file)
                return
            with self._changed:
                self._swollen = self._swollen or resident_bytes(pid) > self._most_bytes
                if self._swollen and not self._leases:
                    log.warning("The Spark server has swollen and is replaced.")
                    return
            looks += 1
            if looks % _ASK_EVERY == 0:
                unanswered = 0 if answers(server.remote) else unanswered + 1
            if unanswered >= _UNANSWERED:
                log.error("The Spark server does not answer and is replaced.")
                return
            self._wait(_LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._closing or time.monotonic() >= until, timeout=seconds)


def resident_bytes(pid: int) -> int:
    """Return the memory of a process and of what it started; 0 if it is gone."""
    try:
        process = psutil.Process(pid)
        return sum(int(part.memory_info().rss) for part in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0
