"""Runs the tasks of one run, from wherever they are to their ends."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.jobs import states
from airflow_dataloader.workspace.jobs.environment import TaskPlace, find_python_file, task_environment
from airflow_dataloader.workspace.jobs.limit import Limit
from airflow_dataloader.workspace.jobs.model import Run, TaskRun
from airflow_dataloader.workspace.jobs.process import TaskProcess, launch, was_never_started
from airflow_dataloader.workspace.jobs.states import Code, End, LifeCycle, Result, Stop
from airflow_dataloader.workspace.jobs.store import RunStore
from airflow_dataloader.workspace.spark.address import with_session
from airflow_dataloader.workspace.spark.external import LostSeat
from airflow_dataloader.workspace.spark.protocol import Seat, Spark
from airflow_dataloader.workspace.tokens import hashed, new_token

log = logging.getLogger(__name__)

#: Seconds between checks of a process, between checks for Spark while none is up, and between attempts when
#: the store fails.
_LOOK_SECONDS = 0.1
_SPARK_SECONDS = 0.5
_STORE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What every run needs of its workspace."""

    home: WorkspaceHome
    store: RunStore
    spark: Spark
    url: str
    #: What a task inherits.
    environment: Mapping[str, str] = field(repr=False)


class StopSign:
    """Tells the threads of one run to end it, and why; the first reason stays."""

    def __init__(self) -> None:
        self._given = threading.Event()
        #: The workspace itself is to end.
        self.closing = threading.Event()
        self.reason: Stop | None = None

    def give(self, reason: Stop) -> None:
        """Ask for the end."""
        self.reason = self.reason or reason
        self._given.set()
        if reason is Stop.SHUTDOWN:
            self.closing.set()

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; return whether the end was asked for."""
        return self._given.wait(seconds)


class NotBegun(Exception):
    """The workspace closes before Spark was there for the run; the next one takes it up."""


class RunExecution:
    """One run; ``execute`` returns when it has ended, or raises NotBegun."""

    def __init__(self, context: RunContext, run: Run, stop: StopSign) -> None:
        self._context = context
        self._run = run
        self._stop = stop
        self._limit = Limit(run.submission.timeout, run.times.started)

    def execute(self) -> None:
        """Run what has not ended, each task as soon as those before it have succeeded."""
        ends = {task.spec.key: task.end for task in self._run.tasks if task.end is not None}
        waiting = [task for task in self._run.tasks if task.end is None]
        with ThreadPoolExecutor(len(self._run.tasks)) as pool:
            running: dict[Future[End], TaskRun] = {}
            while waiting or running:
                for task in [task for task in waiting if ends.keys() >= set(task.spec.depends_on)]:
                    waiting.remove(task)
                    before = [ends[key] for key in task.spec.depends_on]
                    running[pool.submit(self._task, task, before)] = task
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    ends[running.pop(future).spec.key] = future.result()
        self._record(self._run.run_id, states.whole(ends, self._stop.reason))

    def _task(self, task: TaskRun, before: list[End]) -> End:
        failed = next((end for end in before if end.result is not Result.SUCCESS), None)
        try:
            if failed is not None:
                end = states.upstream(failed)
            else:
                end = TaskExecution(self._context, self._run, task, self._stop, self._limit).execute()
        except NotBegun:
            if not self._has_begun():
                raise
            end = states.stopped(Stop.SHUTDOWN)
        except Exception as error:  # a run must not stay where it is because of a bug
            log.exception("Run %s ended by an error of the workspace.", self._run.run_id)
            end = states.broken(f"The workspace failed: {type(error).__name__}.")
        self._record(task.run_id, end)
        return end

    def _has_begun(self) -> bool:
        run = self._context.store.run(self._run.run_id)
        return run is not None and run.begun

    def _record(self, run_id: int, end: End) -> None:
        """Record an end, however long the store refuses it; raise its error when the workspace closes.

        Nobody else knows this end: who took the run up again would find a dead process without its seat.
        """
        while True:
            try:
                self._context.store.end(run_id, end)
            except sqlite3.Error as error:
                if self._stop.closing.is_set():
                    raise
                log.error("The end of run %s is not on record yet: %s", run_id, error)
                self._stop.closing.wait(_STORE_SECONDS)
            else:
                return


class TaskExecution:
    """One task of a run."""

    def __init__(self, context: RunContext, run: Run, task: TaskRun, stop: StopSign, limit: Limit) -> None:
        """``limit`` is the whole run's."""
        self._context = context
        self._run = run
        self._task = task
        self._stop = stop
        self._limits = (limit, Limit(task.spec.timeout, task.times.started))
        self._folder = context.home.run_folder(run.run_id, task.run_id)

    def execute(self) -> End:
        """Start the task, or go on with its process, and return how it ended."""
        task = self._task
        if task.pid is not None and task.born is not None and not was_never_started(self._folder):
            adopted = TaskProcess(self._folder, task.pid, task.born)
            return self._follow(adopted, self._adopted_seat(), task.session or "")
        script = find_python_file(task.spec.python_file, self._context.home.files)
        if script is None:
            return states.broken(
                f"Cannot read the python file {task.spec.python_file}.", Code.RESOURCE_NOT_FOUND
            )
        seat = self._wait_for_spark()
        if seat is None:
            if self._stop.reason is Stop.SHUTDOWN:
                raise NotBegun
            return states.stopped(self._stop.reason or Stop.TIMEOUT)
        session = str(uuid.uuid4())
        try:
            process = self._launch(str(script), seat, session)
        except BaseException:
            # A seat that nobody ends would keep a swollen server from ever being replaced.
            with contextlib.suppress(EngineFailed):
                seat.end(session)
            raise
        return self._follow(process, seat, session)

    def _adopted_seat(self) -> Seat:
        seat = self._context.spark.adopt()
        server = self._task.server
        return seat if server in (None, seat.server) else LostSeat(server)

    def _wait_for_spark(self) -> Seat | None:
        while self._stop.reason is None and not self._overdue():
            seat = self._context.spark.take_seat()
            if seat is not None:
                return seat
            self._context.store.move(self._run.run_id, LifeCycle.PENDING, self._context.spark.describe())
            self._stop.wait(_SPARK_SECONDS)
        return None

    def _launch(self, script: str, seat: Seat, session: str) -> TaskProcess:
        token, store = new_token(), self._context.store
        store.prepare(self._task.run_id, session, hashed(token), seat.server)
        place = TaskPlace(
            run_id=self._run.run_id,
            home=self._context.home.folder.parent,
            url=self._context.url,
            token=token,
            spark_remote=with_session(seat.remote, session),
        )

        def record(pid: int, born: str) -> None:
            store.move(self._run.run_id, LifeCycle.RUNNING)
            store.begin(self._task.run_id, pid, born)
            for limit in self._limits:
                limit.begin()

        return launch(
            [sys.executable, script, *self._task.spec.parameters],
            task_environment(self._context.environment, place),
            self._folder,
            record,
        )

    def _follow(self, process: TaskProcess, seat: Seat, session: str) -> End:
        succeeded = False
        try:
            reason = self._until_over(process)
            succeeded = reason is None and process.exit_code == 0
        finally:
            # Whatever became of the look at it: what is over runs no more, and writes no more.
            trouble = _end_all(process, seat.release if succeeded else seat.end, session)
        code = process.exit_code
        # A task that succeeded has waited for all that it wrote.
        if trouble is not None and not succeeded:
            return states.broken(f"What the run wrote last may still be committed. {trouble}")
        if reason is not None:
            return states.stopped(reason)
        if code is None:
            return states.broken("The run's process was killed from outside.", Code.INTERNAL_ERROR)
        return states.exited(code)

    def _until_over(self, process: TaskProcess) -> Stop | None:
        """Wait until the process has ended, or is to end; return why it did not end by itself."""
        while process.alive and not self._stop.wait(_LOOK_SECONDS) and not self._overdue():
            pass
        if process.alive:
            try:
                for run_id in (self._task.run_id, self._run.run_id):
                    self._context.store.move(run_id, LifeCycle.TERMINATING)
            except sqlite3.Error as error:
                log.error("Run %s ends, and does not show it: %s", self._run.run_id, error)
            return self._stop.reason or Stop.TIMEOUT
        # Killed; by us, if we were about to when we were killed ourselves.
        return self._stop.reason if process.exit_code is None else None

    def _overdue(self) -> bool:
        """Whether a limit has passed; one of the whole run ends the task's siblings too."""
        of_run, of_task = self._limits
        if of_run.passed:
            self._stop.give(Stop.TIMEOUT)
            return True
        return of_task.passed


def _end_all(process: TaskProcess, end_session: Callable[[str], None], session: str) -> EngineFailed | None:
    """End the process, and then its session: ending it does not end the write. Return what did not work."""
    trouble: EngineFailed | None = None
    try:
        process.end()
    finally:
        try:
            end_session(session)
        except EngineFailed as error:
            log.warning("Session %s: %s", session, error)
            trouble = error
    return trouble
