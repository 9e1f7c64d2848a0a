"""The maintenance DAG: its real task, a real run of the workspace, real Spark."""

from __future__ import annotations

import json

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.utils.session import create_session
from sqlalchemy import select

from tests.airflow_db import Connections, dag
from tests.airflow_stand import Workspace
from tests.bench import Bench

#: Databricks' own way to name a secret, which Jinja must not see.
ENVIRONMENT = {"CONTROL_URL": "{{secrets/dataloader/control_url}}", "PASSWORD": "swordfish-never-to-be-seen"}


def test_a_target_is_compacted_by_the_dag(bench: Bench, workspace: Workspace) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT generate_series(1, 3) AS id")
    row = bench.row(load_strategy="append_only", incremental_column="id", optimize_every_hours=24)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (4)")
    bench.succeed(row)
    run = dag("dataloader_maintain").test()
    assert {ti.task_id: str(ti.state) for ti in run.get_task_instances()} == {"maintain": "success"}
    (submitted,) = workspace.runs()
    assert submitted["run_name"] == "dataloader maintain"
    done = bench.engine.optimize(bench.target())
    assert done is not None
    assert done.files_removed == 0, "there is nothing left to compact"
    assert bench.target_rows() == bench.source_rows()


def test_a_cluster_with_secrets_arrives_as_it_is_and_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"new_cluster": {"num_workers": 1, "spark_env_vars": ENVIRONMENT}}
    monkeypatch.setenv("AIRFLOW__DATALOADER__CLUSTER", json.dumps(cluster))
    workspace.order("lost_answer", path="runs/submit")
    run = dag("dataloader_maintain").test()
    (submitted,) = workspace.runs()
    (task,) = workspace.run(submitted["run_id"])["tasks"]
    assert task["new_cluster"]["spark_env_vars"] == ENVIRONMENT
    with create_session() as session:
        rendered = select(RenderedTaskInstanceFields).where(RenderedTaskInstanceFields.run_id == run.run_id)
        assert [one.rendered_fields for one in session.scalars(rendered)] in ([], [{}])


def test_a_token_with_a_line_end_is_not_told_with_the_refusal(
    workspace: Workspace,
    connections: Connections,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As it is copied from a file. What refuses to send it quotes the whole header."""
    monkeypatch.setattr("airflow_dataloader.dag_factory.maintain._RETRIES", 0)
    connections.databricks(workspace.url, f"{workspace.token}\n")
    run = dag("dataloader_maintain").test()
    assert [str(ti.state) for ti in run.get_task_instances()] == ["failed"]
    said = str(capfd.readouterr())
    assert "Bearer ***" in said
    assert workspace.token not in said
