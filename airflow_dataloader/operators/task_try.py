"""One try of a load task in its worker, from the load that it answers for to the trigger that waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from airflow.providers.databricks.exceptions import DatabricksApiError
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.providers.databricks.operators.databricks import DatabricksJobRunLink
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from sqlalchemy import Engine

from airflow_dataloader.control.attach import Attached, MappedLoad, Try, attach
from airflow_dataloader.control.end_without_loader import end_unsubmitted
from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.load_view import LoadView, view_load
from airflow_dataloader.control.outage import retry_while_away
from airflow_dataloader.control.tracking import LONGEST_URL, update_run_tracking
from airflow_dataloader.control.tries import try_name
from airflow_dataloader.core.submission import Submission
from airflow_dataloader.defaults import LOADER_PATH
from airflow_dataloader.exceptions import DataloaderError, TransientError
from airflow_dataloader.hooks.control import ControlHook
from airflow_dataloader.hooks.redaction import LogRedacted, redacted_instead, redacted_message
from airflow_dataloader.hooks.runs import same_host
from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.links import dag_page
from airflow_dataloader.triggers.hold import hold_seconds
from airflow_dataloader.triggers.load import LoadTrigger
from airflow_dataloader.triggers.task_state import LEFT_TO_NEXT_TRY, TASK_ENDED, TaskAddress, is_over

if TYPE_CHECKING:
    from airflow_dataloader.operators.load import LoadOperator

#: What another request would be told again. A timeout, a conflict, too early and too many requests pass.
_REFUSALS = frozenset(range(400, 500)) - {408, 409, 425, 429}

_LONGEST_REFUSAL = 500

_Answer = TypeVar("_Answer")

#: Seconds that a question about the run waits for its answer.
_PATIENCE = 20

#: Seconds that a try waits for a control database that is away: longer than Airflow's retries last, and below
#: the ten minutes of a claim's lease, after which a load that nobody has submitted ends and its slot is lost.
_OUTAGE_PATIENCE = 300.0


class TaskTry:
    """A try under way."""

    def __init__(self, operator: LoadOperator, context: Context) -> None:
        self._operator = operator
        self._context = context
        # Both of Airflow's classes for it have what is asked here.
        self._task: Any = context["ti"]
        self._settings = airflow_settings()
        # For what the load does not depend on; the operator submits by a hook of its own.
        self._hook = DatabricksHook(
            operator.databricks_conn_id, timeout_seconds=_PATIENCE, retry_limit=1, caller="LoadOperator"
        )
        self._attached: Attached | None = None

    def begin(self) -> dict[str, Any] | None:
        """Attach to the load and see to it that its run is there; return its facts if it is over."""
        with self._control() as engine:
            ids = {name: int(self._operator.load[name]) for name in ("metadata_id", "epoch", "config_id")}
            most = self._settings.max_concurrent_loads
            attached = self._patiently(
                partial(attach, engine, MappedLoad(**ids), self._try(), max_concurrent=most)
            )
            self._attached = attached
            if attached.over:
                watched = self._view(engine, attached)
                return watched.facts() if watched else {}
            if not attached.being_reaped:
                self._see_to_its_run(engine, attached)
            if self._operator.killed:
                self._leave(engine, attached)
        return None

    def trigger(self) -> LoadTrigger:
        """Return what waits for the load's end."""
        assert self._attached is not None, "it has begun"
        return LoadTrigger(
            metadata_id=self._attached.metadata_id,
            claimed_at=self._attached.claimed_at,
            run_id=self._operator.run_id,
            control_conn_id=self._operator.control_conn_id,
            databricks_conn_id=self._operator.databricks_conn_id,
            poll_seconds=self._settings.poll_seconds,
            hold_seconds=hold_seconds(),
            airflow_task=self._name(),
            task_address=asdict(TaskAddress.of(self._task)),
        )

    @contextmanager
    def _control(self) -> Iterator[Engine]:
        engine = ControlHook(self._operator.control_conn_id).engine()
        try:
            yield engine
        finally:
            engine.dispose()

    def _patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """Return ``call()``, waiting out a control database that is away, unless this try is to end.

        ``call`` must be repeatable: its first try may have been carried out and its answer lost.
        """
        until = time.monotonic() + _OUTAGE_PATIENCE
        return retry_while_away(call, until=until, stopped=lambda: self._operator.killed)

    def _view(self, engine: Engine, attached: Attached) -> LoadView | None:
        return self._patiently(partial(view_load, engine, attached.metadata_id))

    def _name(self) -> str:
        return try_name(str(self._task.id), self._task.try_number)

    def _try(self) -> Try:
        task = self._task
        # Clearing a task grants it all its retries anew, counted from the try it was cleared in.
        first = task.max_tries - (self._operator.retries or 0) + 1
        return Try(
            airflow_run=task.run_id,
            map_index=task.map_index,
            number=task.try_number,
            airflow_task=self._name(),
            airflow_base_url=dag_page(task.dag_id),
            first=max(1, first),
        )

    def _see_to_its_run(self, engine: Engine, attached: Attached) -> None:
        """Take the run that the load has; start one only where it has none."""
        if attached.submitted:
            self._take(attached.databricks_run, attached.workspace_host)
        else:
            self._submit(engine, attached)
        if self._operator.run_id is not None:
            self._show(engine, attached, self._operator.run_id)

    def _take(self, databricks_run: str | None, workspace_host: str | None) -> None:
        """Watch the run that is on record, if this task's connection leads to it; else the row alone.

        Never another run beside it, in another workspace either: two would be started for one load.
        """
        if databricks_run is None or not databricks_run.isdecimal():
            return
        with self._log_redacted(f"Its run {databricks_run} is not watched, as its connection cannot be read"):
            if same_host(workspace_host, self._hook.host):
                self._operator.run_id = int(databricks_run)
            else:
                self._operator.log.warning("Its run %s is one of %s.", databricks_run, workspace_host)

    def _submit(self, engine: Engine, attached: Attached) -> None:
        """Start the load's run, or find the one that was started before, and put it on record."""
        self._operator.json = Submission(
            installation=attached.installation,
            metadata_id=attached.metadata_id,
            epoch=attached.epoch,
            token=attached.token,
            max_runtime_minutes=attached.max_runtime_minutes,
            loader_path=self._settings.loader_path or LOADER_PATH,
            cluster=self._settings.cluster,
        ).payload
        try:
            host, run_id = self._hook.host, self._operator.submit_job(self._context)
        except Exception as error:
            if self._is_final(error):
                self._give_up(engine, attached, redacted_message(error, self._hook, self._settings.cluster))
            elif (instead := redacted_instead(error, self._hook, self._settings.cluster)) is None:
                raise
            else:
                raise AirflowException(instead) from None
        else:
            self._record(engine, attached, run_id, host)

    def _record(self, engine: Engine, attached: Attached, run_id: int, host: str | None) -> None:
        """Put the run on record, for reap and for the tries after this one."""
        record = partial(
            update_run_tracking,
            engine,
            attached.metadata_id,
            attached.epoch,
            databricks_run=str(run_id),
            workspace_host=host,
            airflow_url=self._log_url(),
            airflow_task=self._name(),
        )
        try:
            self._patiently(record)
        except DataloaderError as error:
            if isinstance(error, TransientError) and self._may_try_again:
                raise
            # Its trigger knows the run, and where the load is over sees that at once.
            self._operator.log.warning("Run %s is not on record: %s", run_id, error)

    def _show(self, engine: Engine, attached: Attached, run_id: int) -> None:
        """Put the run where people look for it. The load goes on without, and waits for nothing here."""
        with self._log_redacted(f"The address of run {run_id} is not shown"):
            self._task.xcom_push(key="run_id", value=run_id)
            url = self._hook.get_run_page_url(run_id)
            self._task.xcom_push(key="run_page_url", value=url)
            # While it is deferred, too; Airflow itself writes links when a task ends.
            self._task.xcom_push(key=DatabricksJobRunLink().xcom_key, value=url)
            ids = (attached.metadata_id, attached.epoch)
            update_run_tracking(
                engine, *ids, airflow_url=self._log_url(), databricks_url=url, airflow_task=self._name()
            )
            self._operator.log.info("Databricks run %s: %s", run_id, url)

    def _log_redacted(self, what: str) -> LogRedacted:
        """Return what to ask the workspace in where the load goes on without an answer."""
        return LogRedacted(self._operator.log, what, self._hook, self._settings.cluster)

    def _log_url(self) -> str | None:
        """Return where this try's log is shown; None where that is longer than the control database keeps."""
        url: str = self._task.log_url
        return url if len(url) <= LONGEST_URL else None

    @property
    def _may_try_again(self) -> bool:
        return bool(self._task.try_number <= self._task.max_tries)

    def _is_final(self, error: Exception) -> bool:
        refused = isinstance(error, DatabricksApiError) and error.http_status_code in _REFUSALS
        return refused or not self._may_try_again

    def _give_up(self, engine: Engine, attached: Attached, said: str) -> None:
        """End a load that no try will submit, so that its row need not wait for its lease to end.

        Returns only where there was nothing to end: its loader has started, somebody else has ended it, or a
        newer try of the task has submitted it.
        """
        message = f"The load could not be submitted to Databricks: {said[:_LONGEST_REFUSAL]}"
        ids = (attached.metadata_id, attached.epoch)
        if self._patiently(partial(end_unsubmitted, engine, *ids, message, airflow_task=self._name())):
            raise AirflowFailException(message) from None
        said = message.rstrip(".")
        self._operator.log.warning("%s. It has been started or ended, or is a newer try's by now.", said)
        if (watched := self._view(engine, attached)) is not None:
            self._take(watched.databricks_run, watched.workspace_host)

    def _leave(self, engine: Engine, attached: Attached) -> NoReturn:
        """End the load if a person has ended the task for good; else leave it to the next try.

        A control database that is away is not waited for: Airflow ends this process within seconds.
        """
        at = TaskAddress.of(self._task)
        if not is_over(self._task.get_task_states(**at.query), at):
            raise AirflowException(LEFT_TO_NEXT_TRY)
        # Unless a newer try answers for it by now.
        ended = cancel(
            engine,
            attached.metadata_id,
            TASK_ENDED,
            settled_by=SettledBy.TRIGGER,
            airflow_task=self._name(),
        )
        if ended and self._operator.run_id is not None:
            # Else it ends at its next heartbeat: its load is over.
            with self._log_redacted(f"Run {self._operator.run_id} could not be cancelled"):
                self._hook.cancel_run(self._operator.run_id)
        raise AirflowFailException(TASK_ENDED)
