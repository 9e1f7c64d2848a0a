"""Maintenance of all targets as one Airflow task, which waits for its Databricks run without a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from airflow_dataloader.core.submission import MAINTAIN_FILE, run_payload
from airflow_dataloader.defaults import LOADER_PATH
from airflow_dataloader.hooks.redaction import redacted_instead
from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.links import base_url
from airflow_dataloader.triggers.hold import hold_seconds
from airflow_dataloader.triggers.maintain import MaintainTrigger
from airflow_dataloader.triggers.task_state import (
    LEFT_TO_NEXT_TRY,
    TASK_ENDED,
    TaskAddress,
    is_over,
    was_cleared,
)

_RUN_TIMEOUT = timedelta(hours=12)


class MaintainOperator(DatabricksSubmitRunOperator):
    """Runs the loader's own task for maintenance. There are no template fields.

    ``[dataloader] cluster`` may hold secrets, and Databricks' ``{{secrets/scope/key}}``: it is read when the
    task runs, is never rendered, and does not get into Airflow's database.

    Airflow's retries cover what happens between Airflow and Databricks; a retry finds the run that was
    started before. A task that is cleared starts another run, and ends the one that it had. A run that has
    failed is not tried again.

    :param databricks_conn_id: connection of the workspace; None: ``[dataloader] databricks_conn_id``.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()

    def __init__(self, *, databricks_conn_id: str | None = None, **kwargs: Any) -> None:
        settings = airflow_settings()
        super().__init__(
            databricks_conn_id=databricks_conn_id or settings.databricks_conn_id,
            polling_period_seconds=settings.poll_seconds,
            deferrable=True,
            durable=False,
            **kwargs,
        )
        #: This try is to end.
        self.killed = False
        self._at: TaskAddress | None = None

    def execute(self, context: Context) -> None:
        """Submit the run, and wait for its end in a trigger."""
        settings = airflow_settings()
        self._at = TaskAddress.of(context["ti"])
        payload = run_payload(
            "dataloader maintain",
            MAINTAIN_FILE,
            [],
            timeout=_RUN_TIMEOUT,
            loader_path=settings.loader_path or LOADER_PATH,
            cluster=settings.cluster,
        )
        self.json = {**payload, "idempotency_token": self._token(context)}
        try:
            self._submit(context, self._at)
        except Exception as error:
            if (instead := redacted_instead(error, self._hook, settings.cluster)) is None:
                raise
            raise AirflowException(instead) from None

    def on_kill(self) -> None:
        """Note that this try is to end; the main flow does the rest, as this is a signal's handler."""
        self.killed = True

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Wait in a trigger that does not fire before Airflow can take its event."""
        assert self._at is not None, "only a try of the task waits"
        super().defer(trigger=MaintainTrigger.of(trigger, hold_seconds(), self._at), **kwargs)

    def execute_complete(self, context: dict[str, Any] | None, event: dict[str, Any]) -> None:
        """Report how the run ended; what it has failed at, it would fail at again."""
        try:
            super().execute_complete(context, event)
        except AirflowException as error:
            raise AirflowFailException(str(error)) from None

    def _submit(self, context: Context, at: TaskAddress) -> None:
        try:
            super().execute(context)
        except TaskDeferred:
            if self.killed:
                self._leave(context, at)
            raise

    def _leave(self, context: Context, at: TaskAddress) -> NoReturn:
        """End the run, unless a retry follows, which finds it by its token."""
        task: Any = context["ti"]
        states = task.get_task_states(**at.query)
        over = is_over(states, at)
        # The try after a clear looks for another run.
        if over or was_cleared(states, at) or task.try_number > task.max_tries:
            self._hook.cancel_run(self.run_id)
        if over:
            raise AirflowFailException(TASK_ENDED)
        raise AirflowException(LEFT_TO_NEXT_TRY)

    def _token(self, context: Context) -> str:
        """Return what makes a retry find the same run, and a task that was cleared start another one."""
        # Both of Airflow's classes for it have what is asked here.
        task: Any = context["ti"]
        run: Any = context["dag_run"]
        # Not the number of tries, nor a date alone: a task that is cleared while it runs keeps both. The date
        # is there for another Airflow at the same workspace, whose names may all be the same.
        begun = run.start_date.isoformat() if run.start_date else None
        names = (base_url(), task.dag_id, task.run_id, task.task_id, run.clear_number or 0, begun)
        return f"adl-maintain-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:40]}"
