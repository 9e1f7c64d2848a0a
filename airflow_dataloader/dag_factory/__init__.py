"""The DAGs, one file each, and the one call that a DAG file makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_dataloader.dag_factory import load, maintain
from airflow_dataloader.dag_factory.load import load_dag
from airflow_dataloader.dag_factory.maintain import maintain_dag
from airflow_dataloader.operators.links import TAG

__all__ = ["build_dags", "load_dag", "maintain_dag"]


def build_dags(
    namespace: dict[str, Any],
    *,
    dag_id: str | None = None,
    control_conn_id: str | None = None,
    databricks_conn_id: str | None = None,
    tags: Sequence[str] = (TAG,),
) -> None:
    """Put every DAG of this package into ``namespace``, a DAG file's ``globals()``.

    The options make a second set for another workspace and its control database: ``dag_id`` names its load
    DAG, and begins the names of the others. A loader finds its control database in its cluster's environment,
    so that each control database needs a workspace of its own; a loader refuses a run that was submitted for
    another one than it finds.
    """
    loading = load_dag(
        dag_id=dag_id or load.DAG_ID,
        control_conn_id=control_conn_id,
        databricks_conn_id=databricks_conn_id,
        tags=tags,
    )
    maintaining = maintain_dag(
        dag_id=f"{dag_id}_maintain" if dag_id else maintain.DAG_ID,
        databricks_conn_id=databricks_conn_id,
        tags=tags,
    )
    for dag in (loading, maintaining):
        namespace[dag.dag_id] = dag
