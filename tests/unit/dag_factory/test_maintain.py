"""The maintenance DAG's shape."""

from __future__ import annotations

import json

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_dataloader.dag_factory.maintain import maintain_dag
from airflow_dataloader.operators.maintain import MaintainOperator


def test_it_runs_once_a_day_and_waits_without_a_worker() -> None:
    dag = maintain_dag()
    assert (dag.dag_id, dag.schedule, dag.catchup) == ("dataloader_maintain", "17 3 * * *", False)
    assert dag.max_active_runs == 1
    task = dag.get_task("maintain")
    assert isinstance(task, MaintainOperator)
    assert task.deferrable
    assert task.retries == 2


def test_the_cluster_gets_neither_into_the_dag_nor_to_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"new_cluster": {"spark_env_vars": {"PASSWORD": "swordfish"}}}
    monkeypatch.setenv("AIRFLOW__DATALOADER__CLUSTER", json.dumps(cluster))
    assert "swordfish" not in json.dumps(DagSerialization.serialize_dag(maintain_dag()))
    assert (MaintainOperator.template_fields, MaintainOperator.template_ext) == ((), ())
