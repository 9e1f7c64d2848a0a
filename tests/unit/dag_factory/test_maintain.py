"""The maintenance DAG's shape."""

from __future__ import annotations

import pytest
from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator

from airflow_dataloader.dag_factory.maintain import maintain_dag


def test_it_runs_the_loader_s_own_task_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATALOADER__LOADER_PATH", "/Workspace/loader")
    monkeypatch.setenv("AIRFLOW__DATALOADER__CLUSTER", '{"existing_cluster_id": "0101-abc"}')
    dag = maintain_dag()
    assert (dag.dag_id, dag.schedule, dag.catchup) == ("dataloader_maintain", "17 3 * * *", False)
    assert dag.max_active_runs == 1
    task = dag.get_task("maintain")
    assert isinstance(task, DatabricksSubmitRunOperator)
    assert task.deferrable
    (submitted,) = task.json["tasks"]
    assert submitted["spark_python_task"] == {
        "python_file": "/Workspace/loader/spark_tasks/maintain_tables.py",
        "parameters": [],
    }
    assert submitted["existing_cluster_id"] == "0101-abc"
