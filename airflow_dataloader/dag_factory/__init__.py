"""The DAGs, one file each, and the one call that a DAG file makes."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.dag_factory.load import load_dag

__all__ = ["build_dags", "load_dag"]


def build_dags(namespace: dict[str, Any], **options: Any) -> None:
    """Put every DAG of this package into ``namespace``, a DAG file's ``globals()``.

    ``options`` are :func:`load_dag`'s: another control database or workspace, and a name of one's own for
    the second of two.
    """
    for dag in (load_dag(**options),):
        namespace[dag.dag_id] = dag
