"""The DAG that maintains targets: one run a day of the loader's own task for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_dataloader.operators.links import TAG
from airflow_dataloader.operators.maintain import MaintainOperator

DAG_ID = "dataloader_maintain"

#: A time of the day, not a span, so that a DAG which is new or was paused waits for it.
_SCHEDULE = "17 3 * * *"

#: Airflow's own, for what goes wrong between Airflow and Databricks. A run that fails is not tried again.
_RETRIES = 2
_RETRY_DELAY = timedelta(seconds=60)

_DOC = """
Removes what dead loads have left, and compacts and vacuums the targets whose rows ask for it
(`optimize_every_hours`, `vacuum_every_hours`), as `dataloader maintain` does.

What it did is in the output of the Databricks run. A target that is being loaded is left to the next run.
"""


def maintain_dag(
    *,
    dag_id: str = DAG_ID,
    databricks_conn_id: str | None = None,
    tags: Sequence[str] = (TAG,),
) -> DAG:
    """Return the maintenance DAG. Nothing is connected."""
    with DAG(
        dag_id=dag_id,
        description="Compacts and vacuums targets as the rows of the control database ask for it.",
        doc_md=_DOC,
        schedule=_SCHEDULE,
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": _RETRIES, "retry_delay": _RETRY_DELAY},
        tags=list(tags),
    ) as dag:
        MaintainOperator(task_id="maintain", databricks_conn_id=databricks_conn_id)
    return dag
