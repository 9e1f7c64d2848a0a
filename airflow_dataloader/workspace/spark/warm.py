"""One warm Spark server of our own for all runs, watched and replaced."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.spark.orphaned_server import end_orphaned_server, note_server
from airflow_dataloader.workspace.spark.protocol import SparkServer, StartSpark

log = logging.getLogger(__name__)

#: Seconds between two starts that fail, growing to the last.
_PAUSES = (1.0, 5.0, 15.0, 30.0)

#: Seconds between tries to end a session, before the server is stopped, which all its runs would lose, or
#: closed to new ones.
_SESSION_PAUSES = (0.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """How a server is watched; seconds."""

    #: Memory beyond which it is replaced as soon as nobody uses it, in bytes.
    most_bytes: int
    look: float = 1.0
    #: Looks between two questions to it, the time that an answer may take, and unanswered ones in a row
    #: after which it is replaced whoever uses it.
    ask_every: int = 10
    answer: float = 20.0
    unanswered: int = 3


class WarmSeat:
    """A task's seat on one server; it is worth nothing at the next one."""

    server = ""

    def __init__(self, server: SparkServer, owner: WarmSpark) -> None:
        self.remote = server.remote
        self._server = server
        self._owner = owner

    def end(self, session: str) -> None:
        """End the session; a server that does not do it, asked again, is stopped, which ends it, too."""
        try:
            if self._ends(session):
                return
        finally:
            self._owner.give_back(self)
        # Also when somebody else is about to: it may write as long as it lives.
        self._owner.stop(self._server)

    def release(self, session: str) -> None:
        """End the session; a server that does not, asked again, keeps its other runs and gets no new ones."""
        try:
            if not self._ends(session):
                self._owner.retire(self._server)
        finally:
            self._owner.give_back(self)

    def _ends(self, session: str) -> bool:
        from airflow_dataloader.workspace.spark.sessions import end_session

        for pause in (*_SESSION_PAUSES, 0.0):
            if self._server.pid is None:
                return False
            try:
                end_session(self.remote, session)
            except EngineFailed as error:
                log.warning("Session %s: %s", session, error)
                time.sleep(pause)
            else:
                return True
        log.error("The Spark server does not end session %s, and is to be replaced.", session)
        return False


class DeadSeat:
    """What a task holds whose server died with the workspace that started it."""

    remote = server = ""

    def end(self, session: str) -> None:
        """Do nothing: its server was seen ended."""

    def release(self, session: str) -> None:
        """Do nothing either."""


class WarmSpark:
    """Starts a server, and another one when it dies, stops answering, or has swollen and nobody uses it."""

    def __init__(self, start: StartSpark, *, log_file: Path, note: Path, watch: Watch) -> None:
        """``note`` is a file of ours that says which process the server is, for the next workspace."""
        self._start = start
        self._log_file = log_file
        self._note = note
        #: May be changed at any time.
        self.watch = watch
        self._changed = threading.Condition()
        self._stopping = threading.Lock()
        self._server: SparkServer | None = None
        self._ready = False
        #: Those on the present server that were not given back.
        self._seats: set[WarmSeat] = set()
        self._trouble = "Spark is starting."
        self._closing = False
        end_orphaned_server(note)
        self._thread = threading.Thread(target=self._keep, name="spark", daemon=True)
        self._thread.start()

    def take_seat(self) -> WarmSeat | None:
        """Return a seat on the server, or None while there is none that takes new work."""
        with self._changed:
            if self._server is None or not self._ready or self._server.pid is None:
                return None
            seat = WarmSeat(self._server, self)
            self._seats.add(seat)
            return seat

    def adopt(self) -> DeadSeat:
        """Return what is left to a task of an earlier workspace: the server died with it."""
        return DeadSeat()

    def give_back(self, seat: WarmSeat) -> None:
        """Take a seat back."""
        with self._changed:
            self._seats.discard(seat)
            self._changed.notify_all()

    def retire(self, server: SparkServer) -> None:
        """Give a server no new work; it is replaced when nobody uses it."""
        with self._changed:
            if self._server is server and self._ready:
                self._ready = False
                self._trouble = "Spark has left a question unanswered, and is replaced when it is free."

    def stop(self, server: SparkServer) -> None:
        """Stop a server of ours, and return when it has ended, whoever stopped it."""
        with self._stopping:
            server.stop()

    def describe(self) -> str:
        """Return in a line why there is no server now."""
        return self._trouble

    def close(self) -> None:
        """Stop the server, also one that is still starting."""
        with self._changed:
            self._closing = True
            server = self._server
            self._changed.notify_all()
        if server is not None:
            self.stop(server)
        self._thread.join()

    def _keep(self) -> None:
        failures = 0
        while not self._closing:
            try:
                self._serve()
                failures = 0
            except Exception as error:
                if self._closing:
                    return
                self._trouble = f"Spark does not start: {error}"
                log.exception("Spark does not start.")
                self._wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1

    def _serve(self) -> None:
        """Start a server, and return when it is to be replaced."""
        server = self._start(self._log_file)
        with self._changed:
            if self._closing:
                return
            self._server = server
        try:
            server.start()
            if server.pid is not None:
                note_server(self._note, server.pid)
            self._ready = True
            self._wait_for_its_end(server)
        finally:
            with self._changed:
                self._server, self._ready = None, False
                self._seats.clear()
            self._trouble = "Spark is starting again."
            self.stop(server)

    def _wait_for_its_end(self, server: SparkServer) -> None:
        # Spark's client takes a second or two to be imported, which is not to delay our own start.
        from airflow_dataloader.workspace.spark.sessions import answers

        looks = unanswered = 0
        while not self._closing:
            pid = server.pid
            if pid is None:
                log.error("The Spark server has ended. Its last words are in %s.", self._log_file)
                return
            if self._is_retired_and_free(pid):
                log.warning("The Spark server is free, and is replaced.")
                return
            looks += 1
            if looks % self.watch.ask_every == 0:
                answered = answers(server.remote, seconds=self.watch.answer)
                unanswered = 0 if answered else unanswered + 1
            if unanswered >= self.watch.unanswered:
                log.error("The Spark server does not answer, and is replaced.")
                return
            self._wait(self.watch.look)

    def _is_retired_and_free(self, pid: int) -> bool:
        """Whether to replace it now; one that has swollen takes no new work until it is free."""
        with self._changed:
            if self._ready and resident_bytes(pid) > self.watch.most_bytes:
                self._ready = False
                self._trouble = "Spark has swollen, and is replaced when the runs that use it have ended."
            return not self._ready and not self._seats

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
