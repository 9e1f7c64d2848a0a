"""One load as an Airflow task: submitted to Databricks, waited for by a trigger, and reported.

A DAG file imports this module, so what only a worker needs is imported by :mod:`.task_try`, when a task runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.databricks.operators.databricks import (
    DatabricksJobRunLink,
    DatabricksSubmitRunOperator,
)
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.assets import LOADED_TABLES, table_asset
from airflow_dataloader.operators.errors import as_airflow_errors
from airflow_dataloader.operators.links import RECORD, LoadRecordLink


class LoadOperator(DatabricksSubmitRunOperator):
    """Loads one table. Nothing of the control table is ever rendered: there are no template fields.

    The task succeeds exactly when its load is Succeeded. It fails with the row's own sentence. Airflow does
    not retry a failed load: the row's schedule in the control table does. Airflow's retries cover what
    happens between Airflow and Databricks; a retry attaches to the same load and the same run.

    :param load: one of :func:`airflow_dataloader.operators.claim.mapped`'s dicts.
    :param control_conn_id: connection of the control database; None: ``[dataloader] control_conn_id``.
    :param databricks_conn_id: connection of the workspace; None: ``[dataloader] databricks_conn_id``.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    operator_extra_links: Any = (DatabricksJobRunLink(), LoadRecordLink())

    def __init__(
        self,
        *,
        load: Mapping[str, Any],
        control_conn_id: str | None = None,
        databricks_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        settings = airflow_settings()
        super().__init__(
            databricks_conn_id=databricks_conn_id or settings.databricks_conn_id,
            deferrable=True,
            durable=False,
            **kwargs,
        )
        self.load = load
        self.control_conn_id = control_conn_id or settings.control_conn_id
        #: This try is to end.
        self.killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the load that this try answers for, submit it, and wait for its end in a trigger."""
        from airflow_dataloader.operators.task_try import TaskTry

        self.log.info("Load %s: %s", self.load["metadata_id"], self.load["label"])
        task_try = TaskTry(self, context)
        with as_airflow_errors():
            facts = task_try.begin()
        if facts is not None:
            return self._report(context, facts)
        self.defer(trigger=task_try.trigger(), method_name="execute_complete")
        raise AssertionError("defer() has raised")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Report the load that the trigger has waited for."""
        return self._report(context, event)

    def on_kill(self) -> None:
        """Note that this try is to end; the main flow does the rest, as this is a signal's handler."""
        self.killed = True

    def _report(self, context: Context, facts: dict[str, Any]) -> dict[str, Any]:
        """Succeed with the load's facts and an event of its table's asset, or fail with its sentence."""
        context["ti"].xcom_push(key=RECORD, value=facts)
        status, message = facts.get("load_status"), facts.get("message")
        if status != LoadStatus.SUCCEEDED:
            raise AirflowFailException(message or f"Load {facts.get('metadata_id')} is {status}.")
        if target := facts.get("target"):
            events = context["outlet_events"][LOADED_TABLES]
            events.add(table_asset(target), extra={**facts, "target": ".".join(target)})
        return facts
