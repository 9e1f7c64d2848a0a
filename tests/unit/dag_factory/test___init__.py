from __future__ import annotations

from typing import Any

from airflow_dataloader.dag_factory import build_dags


def test_a_dag_file_gets_every_dag_under_its_name() -> None:
    namespace: dict[str, Any] = {}
    build_dags(namespace)
    assert set(namespace) == {"dataloader_load", "dataloader_maintain"}
    assert all(dag.dag_id == name for name, dag in namespace.items())


def test_a_second_set_has_names_of_its_own() -> None:
    namespace: dict[str, Any] = {}
    build_dags(namespace, dag_id="emea", control_conn_id="c", databricks_conn_id="w", tags=["mine"])
    assert set(namespace) == {"emea", "emea_maintain"}
    assert namespace["emea_maintain"].get_task("maintain").databricks_conn_id == "w"
    assert namespace["emea"].get_task("claim").control_conn_id == "c"
    assert {tag for dag in namespace.values() for tag in dag.tags} == {"mine"}
