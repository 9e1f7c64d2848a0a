"""Airflow's own operator, as its provider ships it, in a DAG beside a workspace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_db import Connections, dag_of_a_file
from tests.airflow_stand import SCRIPT, Workspace, workspace_at
from tests.no_spark import NoSpark

DAG = """
from airflow.providers.databricks.operators.databricks import DatabricksSubmitRunOperator
from airflow.sdk import DAG

with DAG({name!r}, schedule=None) as dag:
    DatabricksSubmitRunOperator(
        task_id="run", tasks={tasks}, deferrable={deferrable}, polling_period_seconds=1, retries=0
    )
"""


@pytest.fixture
def running(tmp_path: Path, connections: Connections, airflow_db: str) -> Iterator[Workspace]:
    with workspace_at(tmp_path / "home", NoSpark()) as workspace:
        connections.databricks(workspace.url, workspace.token)
        yield workspace


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("code", "task_state", "run_state"), [("0", "success", "SUCCESS"), ("3", "failed", "FAILED")]
)
def test_it_runs_a_task_and_ends_as_its_run_does(
    running: Workspace, tmp_path: Path, *, deferrable: bool, code: str, task_state: str, run_state: str
) -> None:
    script = tmp_path / "task.py"
    script.write_text(SCRIPT)
    task = {"python_file": str(script), "parameters": ["exit", code]}
    tasks: list[dict[str, Any]] = [{"task_key": "t", "spark_python_task": task}]
    name = f"stock_{code}_{deferrable}".lower()
    folder = tmp_path / "dags"
    folder.mkdir()
    text = DAG.format(name=name, tasks=json.dumps(tasks), deferrable=deferrable)
    run = dag_of_a_file(name, folder, text).test()
    (instance,) = run.get_task_instances()
    assert str(instance.state) == task_state
    (submitted,) = running.runs()
    assert submitted["state"]["result_state"] == run_state
    assert instance.xcom_pull(task_ids="run", key="run_id") == submitted["run_id"]
