"""Keeps parts running: starts one that has died again, and gives up on one that keeps dying."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_dataloader.exceptions import DataloaderError, TransientError
from airflow_dataloader.workspace.demo.part import Part

_LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a part may die; seconds."""

    #: Before each start after a death; one death more in a row, and the part is given up.
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 5.0, 10.0)
    #: A part that has lived so long has not died in a row.
    calm: float = 60.0


@dataclass
class _Kept:
    part: Part
    started: float
    #: Deaths in a row.
    deaths: int = 0
    #: Not to be started again before this.
    due: float = 0.0
    down: bool = False


class Supervisor:
    """Looks after parts in a thread of its own.

    A part may need those that were started before it: while one of them is down, it is not started either,
    so that it does not use up its tries.
    """

    def __init__(self, report: Callable[[str], None], patience: Patience | None = None) -> None:
        """``report`` gets a sentence for each death, in the supervisor's thread."""
        self._report = report
        self._patience = patience or Patience()
        self._kept: list[_Kept] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failure: DataloaderError | None = None
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def start(self, part: Part) -> None:
        """Start a part and look after it from now on; what its start raises is the caller's."""
        # Known before it runs, so that whatever happens now it is stopped.
        kept = _Kept(part, time.monotonic())
        with self._lock:
            self._kept.append(kept)
            part.start()
        if not self._thread.is_alive():
            self._thread.start()

    @property
    def failed(self) -> bool:
        """Whether a part was given up."""
        return self._failure is not None

    def check(self) -> None:
        """Raise TransientError, naming its log, if a part was given up."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Look after nothing any more, and end all parts, the last one first."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        for kept in reversed(self._kept):
            kept.part.ask_to_stop()
        for kept in reversed(self._kept):
            kept.part.stop()

    def _keep(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS) and not self.failed:
            with self._lock:
                for kept in self._kept:
                    self._look(kept)
                    if kept.down:
                        break

    def _look(self, kept: _Kept) -> None:
        now = time.monotonic()
        if not kept.down and not kept.part.running:
            self._died(kept, now)
        if kept.down and not self.failed and now >= kept.due:
            self._start_again(kept)

    def _died(self, kept: _Kept, now: float) -> None:
        kept.deaths = 1 if now - kept.started > self._patience.calm else kept.deaths + 1
        kept.down = True
        name, log = kept.part.name, kept.part.log_file
        if kept.deaths > len(self._patience.pauses):
            self._failure = TransientError(
                f"The {name} has died {kept.deaths} times in a row.", fix=f"see {log}, and start again"
            )
            return
        kept.due = now + self._patience.pauses[kept.deaths - 1]
        self._report(f"The {name} has died, and is started again; its log is {log}.")

    def _start_again(self, kept: _Kept) -> None:
        kept.started = time.monotonic()
        try:
            kept.part.start()
        except (DataloaderError, OSError):
            # As good as dead; what it has to say about it is in its log.
            self._died(kept, time.monotonic())
        else:
            kept.down = False
