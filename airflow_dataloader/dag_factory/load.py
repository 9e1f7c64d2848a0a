"""The DAG that loads tables: claim what is due, then one mapped task for each table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_dataloader.hooks.settings import airflow_settings
from airflow_dataloader.operators.assets import LOADED_TABLES
from airflow_dataloader.operators.claim import ClaimOperator
from airflow_dataloader.operators.links import TAG
from airflow_dataloader.operators.load import LoadOperator

DAG_ID = "dataloader_load"

#: What ``[dataloader] schedule_mode`` means.
_SCHEDULES = {"interval": timedelta(seconds=60)}

#: Airflow's own, for what goes wrong between Airflow and Databricks. A load is never tried again here.
_RETRIES = 2
_RETRY_DELAY = timedelta(seconds=10)

#: A claim takes seconds, and one that gives up on loads a minute or two. Asked again it gives the same list.
_LONGEST_CLAIM = timedelta(minutes=5)

#: Airflow's column for the name of a mapped task holds no more.
_LONGEST_NAME = 250

_DOC = """
Claims the rows of `control.table_control` that are due and loads each with a task of its own.

A task waits without a worker for the end of its load. It succeeds exactly when the load is Succeeded; else
it fails with the row's message. **Marking** a task ends its load. **Clearing** one attaches to its load while
that lives, and loads the table again once it has ended. A failed row's next slot loads it again, too.
"""


def load_dag(
    *,
    dag_id: str = DAG_ID,
    control_conn_id: str | None = None,
    databricks_conn_id: str | None = None,
    tags: Sequence[str] = (TAG,),
) -> DAG:
    """Return the load DAG. Nothing is connected; its shape depends on Airflow's configuration alone."""
    settings = airflow_settings()
    connections = {
        "control_conn_id": control_conn_id or settings.control_conn_id,
        "databricks_conn_id": databricks_conn_id or settings.databricks_conn_id,
    }
    with DAG(
        dag_id=dag_id,
        description="Loads the tables of the control database that are due.",
        doc_md=_DOC,
        schedule=_SCHEDULES[settings.schedule_mode],
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        # A run lives as long as its longest load, and must not stop the claims that follow.
        max_active_runs=2 * settings.max_concurrent_loads,
        default_args={"retries": _RETRIES, "retry_delay": _RETRY_DELAY},
        tags=list(tags),
    ) as dag:
        claim = ClaimOperator(task_id="claim", execution_timeout=_LONGEST_CLAIM, **connections)
        LoadOperator.partial(
            task_id="load",
            outlets=[LOADED_TABLES],
            map_index_template=f"{{{{ task.load.label[:{_LONGEST_NAME}] }}}}",
            **connections,
        ).expand(load=claim.output)
    return dag
