"""Lets so many runs run at a time, in the order in which they came."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time

from airflow_dataloader.workspace.jobs import states
from airflow_dataloader.workspace.jobs.execution import NotBegun, RunContext, RunExecution, StopSign
from airflow_dataloader.workspace.jobs.forget import forget_old
from airflow_dataloader.workspace.jobs.states import Stop

log = logging.getLogger(__name__)

#: Seconds before the next try, where something failed that has nothing to do with a run.
_PAUSE_SECONDS = 1.0
#: Seconds between two looks for runs that are too old to be kept.
_FORGET_SECONDS = 24 * 3600.0


class RunQueue:
    """Takes runs up and sees them through, those of an earlier workspace first."""

    def __init__(self, context: RunContext, max_concurrent: int) -> None:
        self._context = context
        self._max = max_concurrent
        self._changed = threading.Condition()
        self._stops: dict[int, StopSign] = {}
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self._woken = True
        self._dispatcher = threading.Thread(target=self._dispatch, name="queue", daemon=True)

    def start(self) -> None:
        """Begin; processes that a killed workspace left are watched at once, whatever the limit."""
        for run_id in self._context.store.alive():
            if self._has_begun(run_id):
                self._take(run_id)
        self._dispatcher.start()

    def wake(self) -> None:
        """Say that a run was submitted."""
        with self._changed:
            self._wake()

    def stop(self, run_id: int, reason: Stop = Stop.CANCEL) -> None:
        """Ask for the end of a run; nothing happens if it has ended."""
        try:
            self._context.store.stop(run_id, reason)
        finally:
            with self._changed:
                sign = self._stops.get(run_id)
                if sign is not None:
                    sign.give(reason)
                self._wake()

    def close(self) -> None:
        """End the runs that run, and leave those that wait, for Spark too, to the next workspace."""
        with self._changed:
            self._closing = True
            self._wake()
        self._dispatcher.join()
        for run_id, sign in list(self._stops.items()):
            try:
                if self._has_begun(run_id):
                    self.stop(run_id, Stop.SHUTDOWN)
            except sqlite3.Error as error:
                log.error("Why run %s is to end is not on record: %s", run_id, error)
            # On record it would be the end of one that has not begun.
            sign.give(Stop.SHUTDOWN)
        for thread in list(self._threads):
            thread.join()

    def _dispatch(self) -> None:
        forget_at = time.monotonic()
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._woken, timeout=_FORGET_SECONDS)
                self._woken = False
            try:
                self._look()
                if time.monotonic() >= forget_at:
                    # Before it is done: what cannot be forgotten today may be tomorrow.
                    forget_at = time.monotonic() + _FORGET_SECONDS
                    forget_old(self._context.home, self._context.store)
            except Exception:
                # Whatever it was, those that wait must not wait for ever.
                log.exception("The queue was not looked through.")
                self._pause()
                self.wake()

    def _look(self) -> None:
        """End those that were stopped while they waited, and take up as many as may run.

        One with a process on record was left for the trouble of the store, and is seen through.
        """
        for run_id, stop in self._context.store.alive().items():
            if run_id in self._stops or self._closing:
                continue
            if stop is not None and not self._has_begun(run_id):
                self._end_unstarted(run_id, stop)
            elif stop is not None or len(self._stops) < self._max:
                self._take(run_id)

    def _has_begun(self, run_id: int) -> bool:
        run = self._context.store.run(run_id)
        return run is not None and run.begun

    def _wake(self) -> None:
        self._woken = True
        self._changed.notify_all()

    def _take(self, run_id: int) -> None:
        sign = StopSign()
        thread = threading.Thread(target=self._see_through, args=(run_id, sign), name=f"run-{run_id}")
        with self._changed:
            self._stops[run_id] = sign
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # no thread was to be had: it waits as before
            with self._changed:
                del self._stops[run_id]
                self._threads.discard(thread)
            raise

    def _see_through(self, run_id: int, sign: StopSign) -> None:
        try:
            self._execute(run_id, sign)
        except sqlite3.Error:
            # The store's trouble, not the run's, whose process may live: it is taken up again.
            log.exception("Run %s was left for now.", run_id)
            self._pause()
        finally:
            with self._changed:
                del self._stops[run_id]
                self._threads.discard(threading.current_thread())
                self._wake()

    def _execute(self, run_id: int, sign: StopSign) -> None:
        store = self._context.store
        # Read after the sign is up: a stop that came before is on record, a later one finds the sign.
        run = store.run(run_id)
        if run is None:
            return
        if run.stop is not None:
            sign.give(run.stop)
        try:
            RunExecution(self._context, run, sign).execute()
        except NotBegun:
            log.info("Run %s waits for the next workspace.", run_id)
        except sqlite3.Error:
            raise
        except Exception as error:
            log.exception("Run %s ended by an error of the workspace.", run_id)
            store.end(run_id, states.broken(f"The workspace failed: {type(error).__name__}."))

    def _pause(self) -> None:
        """Wait before what has failed is tried again, until the queue closes at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=_PAUSE_SECONDS)

    def _end_unstarted(self, run_id: int, reason: Stop) -> None:
        run = self._context.store.run(run_id)
        for task in run.tasks if run is not None else ():
            self._context.store.end(task.run_id, states.stopped(reason))
        self._context.store.end(run_id, states.stopped(reason))
