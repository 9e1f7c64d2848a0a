"""Maintenance of all targets as one Airflow task, which waits for its Databricks run without a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NoReturn

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_dataloader.core.submission import LOADER_PATH, MAINTAIN_FILE, run_payload
from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.links import base_url
from airflow_dataloader.triggers.hold import hold_seconds
from airflow_dataloader.triggers.maintain import MaintainTrigger

_LONGEST = timedelta(hours=12)


class MaintainOperator(DatabricksSubmitRunOperator):
    """Runs the loader's own task for maintenance. There are no template fields.

    ``[dataloader] cluster`` may hold secrets, and Databricks' ``{{secrets/scope/name}}``: it is read when the
    task runs, is never rendered, and does not get into Airflow's database.

    Airflow's retries cover what happens between Airflow and Databricks; a retry finds the run that was
    started before. A run that has failed is not tried again.

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

    def execute(self, context: Context) -> None:
        """Submit the run, and wait for its end in a trigger."""
        settings = airflow_settings()
        payload = run_payload(
            "dataloader maintain",
            MAINTAIN_FILE,
            [],
            timeout=_LONGEST,
            loader_path=settings.loader_path or LOADER_PATH,
            cluster=settings.cluster,
        )
        self.json = {**payload, "idempotency_token": self._token(context)}
        super().execute(context)

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Wait in a trigger that does not fire before Airflow can take its event."""
        super().defer(trigger=MaintainTrigger.of(trigger, hold_seconds()), **kwargs)

    def execute_complete(self, context: dict[str, Any] | None, event: dict[str, Any]) -> None:
        """Report how the run ended; what it has failed at, it would fail at again."""
        try:
            super().execute_complete(context, event)
        except AirflowException as error:
            raise AirflowFailException(str(error)) from None

    def _token(self, context: Context) -> str:
        """Return what makes a retry find the same run, and a task that was cleared start another one."""
        # Both of Airflow's classes for it have what is asked here.
        task: Any = context["ti"]
        # Clearing a task grants it all its retries anew, counted from the try it was cleared in.
        first = task.max_tries - (self.retries or 0) + 1
        names = (
            base_url(),
            task.dag_id,
            task.run_id,
            task.task_id,
            first,
            str(context["dag_run"].start_date),
        )
        return f"adl-maintain-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:40]}"
