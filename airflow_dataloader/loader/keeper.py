"""Keeps a load's lease alive from a thread of its own, and says when it is lost.

A loader whose lease is lost must stop: by the time somebody else may take over its row, it has to have
interrupted its own work. The moment is measured by the monotonic clock, which goes on while a process is
stopped, so a loader that was frozen and wakes up late knows at once that it is late.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from airflow_dataloader.control.outage import retry_while_away
from airflow_dataloader.core.reaping import GRACE_SECONDS
from airflow_dataloader.defaults import LEASE_SECONDS, PROGRESS_MINUTES
from airflow_dataloader.exceptions import Fenced, LeaseLost, SourceStalled
from airflow_dataloader.loader import interrupt
from airflow_dataloader.settings import Settings

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

#: Seconds between two looks whether this process was asked to end; what was raised gets as long to arrive.
_LOOK = 1.0

#: Seconds by which a loader ends a load without progress before reap would.
_EARLIER = 30.0


@dataclass(frozen=True, kw_only=True)
class LeaseTimes:
    """Seconds. The defaults fit those of :mod:`airflow_dataloader.core.reaping`; tests shorten them."""

    beat: float = 10.0
    #: How long one heartbeat is good for.
    lease: float = float(LEASE_SECONDS)
    #: How long after the lease's end nobody may take over.
    grace: float = float(GRACE_SECONDS)
    #: How long before that this loader stops its own work.
    margin: float = 15.0
    #: Pause after a heartbeat that did not get through.
    retry: float = 2.0
    #: How long a load may see nothing move before it ends itself.
    progress: float = 60 * PROGRESS_MINUTES - _EARLIER

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the times that the process's settings ask for."""
        return cls(lease=settings.lease_seconds, progress=60.0 * settings.progress_minutes - _EARLIER)


class LeaseKeeper:
    """Runs ``beat(progressed)`` every few seconds until it is closed or the lease is lost.

    A load that nothing moves in for too long is ended too, while it still is its loader's to settle; so
    is one whose process was asked to end, if what that raised got lost on its way.

    ``beat`` renews the lease in the control database and raises Fenced when the row is no longer ours.
    ``progressed`` tells whether the load moved since it was last asked; its errors never end a load.
    ``on_lost`` interrupts the load's work; it is called once, from whichever thread finds the lease lost.
    ``interrupted`` tells whether this process was asked to end.
    """

    def __init__(
        self,
        beat: Callable[[bool], None],
        *,
        progressed: Callable[[], bool],
        on_lost: Callable[[], None],
        times: LeaseTimes,
        interrupted: Callable[[], bool] = interrupt.seen,
    ) -> None:
        self._beat = beat
        self._progressed = progressed
        self._on_lost = on_lost
        self._times = times
        self._interrupted = interrupted
        self._closed = threading.Event()
        self._losing = threading.Lock()
        self._lost: BaseException | None = None
        self._renewed = self._moved = time.monotonic()
        #: It moved, and no heartbeat that said so has got through.
        self._untold = False
        #: The load is being settled, and may be over at any moment.
        self._settling = False
        self._thread = threading.Thread(target=self._run, name="lease-keeper", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        """Start the thread; the load's start has just granted the first lease."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread, waiting for a heartbeat under way."""
        self._closed.set()
        self._thread.join()

    @property
    def deadline(self) -> float:
        """The monotonic time at which this loader stops its own work."""
        times = self._times
        return self._renewed + times.lease + times.grace - times.margin

    def patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """Return ``call()``, waiting out a control database that is away, for as long as the lease can last.

        ``call`` must be repeatable: its first try may have been carried out and its answer lost.
        """
        return retry_while_away(call, until=self.deadline)

    def settle(self, call: Callable[[], _Answer]) -> _Answer:
        """Return ``patiently(call)``, which ends the load: a heartbeat that finds it over is no loss then.

        A row that somebody else has taken before is ``call``'s to notice.
        """
        self._settling = True
        return self.patiently(call)

    def check(self) -> None:
        """Raise Fenced if the row is no longer ours, LeaseLost if nobody knows. Called before every write.

        Raises KeyboardInterrupt if this process was asked to end.
        """
        if self._interrupted():
            raise KeyboardInterrupt
        if self._lost is None and time.monotonic() >= self.deadline:
            self._lose(self._late())
        if self._lost is not None:
            raise self._lost

    @property
    def ended_by(self) -> SourceStalled | KeyboardInterrupt | None:
        """Why the load was ended while its row still is ours: what broke then, broke because of that."""
        if self._interrupted():
            return KeyboardInterrupt()
        return self._lost if isinstance(self._lost, SourceStalled) else None

    def renew_now(self) -> None:
        """Renew from the calling thread; raise Fenced if the row is no longer ours."""
        self._beat(False)

    def _late(self) -> LeaseLost:
        silent = time.monotonic() - self._renewed
        return LeaseLost(
            f"The lease could not be renewed for {silent:.0f} s, so this load stopped its own work.",
            fix="see whether the control database was reachable; the row is loaded again at its next slot",
        )

    def _run(self) -> None:
        pause = self._times.beat
        while self._lost is None and not self._waited(pause):
            pause = self._times.beat if self._renew() else self._times.retry

    def _waited(self, pause: float) -> bool:
        """Return True if the load ended within ``pause`` seconds, or had to."""
        until = time.monotonic() + pause
        asked = self._interrupted()
        while not self._closed.wait(max(0.0, min(until - time.monotonic(), _LOOK))):
            if asked:
                self._lose(KeyboardInterrupt("its process was asked to end"))
                return True
            if time.monotonic() >= until:
                return False
            asked = self._interrupted()
        return True

    def _renew(self) -> bool:
        asked = time.monotonic()
        if asked >= self.deadline:
            self._lose(self._late())
            return False
        progressed = self._safe_progress()
        if progressed:
            self._moved, self._untold = asked, True
        elif asked - self._moved > self._times.progress:
            self._lose(_stalled(asked - self._moved))
            return False
        try:
            self._beat(self._untold)
        except Fenced as error:
            if self._settling:
                # Most likely by our own word, whose answer is on its way.
                self._closed.set()
            else:
                self._lose(error)
            return False
        except Exception as error:  # noqa: BLE001  whatever it met, the next may get through until the deadline
            log.warning("Heartbeat did not get through: %s", error)
            return False
        self._renewed, self._untold = asked, False
        return True

    def _safe_progress(self) -> bool:
        try:
            return self._progressed()
        except Exception as error:  # noqa: BLE001  whatever the probe meets, the load itself may be fine
            log.warning("Progress could not be seen: %s", error)
            return True

    def _lose(self, error: BaseException) -> None:
        with self._losing:
            if self._lost is not None:
                return
            self._lost = error
        log.error("This load stops: %s", error)
        try:
            self._on_lost()
        except Exception:
            log.exception("The load's work could not be interrupted; its next write is refused all the same.")


def _stalled(silent: float) -> SourceStalled:
    return SourceStalled(
        f"Nothing has come from the source for {silent:.0f} s, so it was waited for no longer.",
        fix="look at the source's server and the network between; a row is loaded again at its next slot",
    )
