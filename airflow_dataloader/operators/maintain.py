"""Maintenance of all targets as one Airflow task, which waits for its Databricks run without a worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import Context

from airflow_dataloader.core.submission import LOADER_PATH, MAINTAIN_FILE, run_payload
from airflow_dataloader.hooks.settings import airflow_settings

_LONGEST = timedelta(hours=12)


class MaintainOperator(DatabricksSubmitRunOperator):
    """Runs the loader's own task for maintenance. There are no template fields.

    ``[dataloader] cluster`` may hold secrets, and Databricks' ``{{secrets/scope/name}}``: it is read when the
    task runs, is never rendered, and does not get into Airflow's database.

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
        """Submit the run, and wait for its end in the Databricks provider's trigger."""
        settings = airflow_settings()
        payload = run_payload(
            "dataloader maintain",
            MAINTAIN_FILE,
            [],
            timeout=_LONGEST,
            loader_path=settings.loader_path or LOADER_PATH,
            cluster=settings.cluster,
        )
        # Both of Airflow's classes for it have what is asked here.
        task: Any = context["ti"]
        # A submission whose answer is lost is repeated; a try of its own is to be another run.
        self.json = {**payload, "idempotency_token": f"adl-maintain-{task.id}-{task.try_number}"}
        super().execute(context)
