"""Lets so many runs run at a time, in the order in which they came."""

from __future__ import annotations

import logging
import threading

from airflow_dataloader.workspace.jobs import states
from airflow_dataloader.workspace.jobs.execution import RunExecution, Stand, StopSign
from airflow_dataloader.workspace.jobs.model import Run
from airflow_dataloader.workspace.jobs.states import Stop

log = logging.getLogger(__name__)


class RunQueue:
    """Takes runs up and sees them through, those of an earlier workspace first."""

    def __init__(self, stand: Stand, max_concurrent: int) -> None:
        self._stand = stand
        self._max = max_concurrent
        self._changed = threading.Condition()
        self._stops: dict[int, StopSign] = {}
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self._woken = True
        self._dispatcher = threading.Thread(target=self._dispatch, name="queue", daemon=True)

    def start(self) -> None:
        """Begin; processes that a killed workspace left are watched at once, whatever the limit."""
        for run in self._stand.store.alive():
            if any(task.pid is not None for task in run.tasks):
                self._take(run)
        self._dispatcher.start()

    def wake(self) -> None:
        """Say that a run was submitted."""
        with self._changed:
            self._wake()

    def stop(self, run_id: int, reason: Stop = Stop.CANCEL) -> None:
        """Ask for the end of a run; nothing happens if it has ended."""
        self._stand.store.stop(run_id, reason)
        with self._changed:
            sign = self._stops.get(run_id)
            if sign is not None:
                sign.give(reason)
            self._wake()

    def close(self) -> None:
        """End the runs that run, and leave those that wait to the next workspace."""
        with self._changed:
            self._closing = True
            self._wake()
            running = list(self._stops)
        self._dispatcher.join()
        for run_id in running:
            self.stop(run_id, Stop.SHUTDOWN)
        for thread in list(self._threads):
            thread.join()

    def _dispatch(self) -> None:
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._woken)
                self._woken = False
            for run in self._waiting():
                if run.stop is not None:
                    self._end_unstarted(run, run.stop)
                elif len(self._stops) < self._max and not self._closing:
                    self._take(run)

    def _waiting(self) -> list[Run]:
        return [run for run in self._stand.store.alive() if run.run_id not in self._stops]

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _take(self, run: Run) -> None:
        sign = StopSign(run.stop)
        thread = threading.Thread(target=self._see_through, args=(run, sign), name=f"run-{run.run_id}")
        with self._changed:
            self._stops[run.run_id] = sign
            self._threads.add(thread)
        # A stop that came between reading the run and this found nobody to tell.
        found = self._stand.store.run(run.run_id)
        if found is not None and found.stop is not None:
            sign.give(found.stop)
        thread.start()

    def _see_through(self, run: Run, sign: StopSign) -> None:
        try:
            RunExecution(self._stand, run, sign).execute()
        except Exception as error:
            log.exception("Run %s ended by an error of the workspace.", run.run_id)
            self._stand.store.end(run.run_id, states.broken(f"The workspace failed: {type(error).__name__}."))
        finally:
            with self._changed:
                del self._stops[run.run_id]
                self._threads.discard(threading.current_thread())
                self._wake()

    def _end_unstarted(self, run: Run, reason: Stop) -> None:
        for run_id in (*(task.run_id for task in run.tasks), run.run_id):
            self._stand.store.end(run_id, states.stopped(reason))
