"""Tables through the load DAG: real tasks, a real run of the workspace, real Spark."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.models.asset import AssetEvent
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from tests.airflow_db import Connections, dag, dag_of_a_file
from tests.airflow_stand import Workspace
from tests.bench import Bench

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

SECRET = "swordfish-never-to-be-seen"
TEMPLATE = "{{ conn.canary.password }}"
#: What an operator with templates makes of it.
RENDERING = f"""
from airflow.sdk import DAG, BaseOperator

class Saying(BaseOperator):
    template_fields = ("said",)

    def __init__(self, said, **more):
        super().__init__(**more)
        self.said = said

    def execute(self, context):
        return self.said

with DAG(dag_id="rendering") as dag:
    Saying(task_id="say", said="{TEMPLATE}")
"""


#: Puts the control database back to before its only load, as a backup does: ids and epochs count on again.
RESTORE = (
    "ALTER TABLE control.table_control DISABLE TRIGGER USER",
    "DELETE FROM control.historical_metadata",
    "UPDATE control.table_control SET load_epoch = 0, last_status = NULL, next_load_date_time = '2020-01-01'",
    "ALTER TABLE control.table_control ENABLE TRIGGER USER",
    "SELECT setval('control.historical_metadata_id_seq', 1, false)",
)


def states(run: Any) -> dict[tuple[str, int], str]:
    return {(ti.task_id, ti.map_index): str(ti.state) for ti in run.get_task_instances()}


def xcoms(run: Any) -> dict[tuple[str, int, str], Any]:
    with create_session() as session:
        found = session.scalars(select(XComModel).where(XComModel.run_id == run.run_id))
        return {(x.task_id, x.map_index, x.key): XComModel.deserialize_value(x) for x in found}


def test_a_table_travels_from_its_row_to_its_target(bench: Bench, workspace: Workspace) -> None:
    bench.source.execute(
        "CREATE TABLE items AS SELECT n AS id, 'item ' || n AS name FROM generate_series(1, 50) n"
    )
    config_id = bench.row(next_load_date_time=LONG_AGO, max_runtime_minutes=7)
    run = dag().test()
    assert states(run) == {("claim", -1): "success", ("load", 0): "success"}
    assert bench.target_rows() == bench.source_rows()
    (load,) = bench.history(config_id)
    assert (load.load_status, load.airflow_run) == ("Succeeded", run.run_id)
    assert load.submit_token.startswith(f"adl-{bench.installation.replace('-', '')}-{load.id}-{load.epoch}-")
    (submitted,) = workspace.runs()
    assert load.databricks_run == str(submitted["run_id"])
    with closing(sqlite3.connect(bench.home / "workspace" / "runs.db")) as runs:
        (kept,) = runs.execute("SELECT submission FROM run WHERE id = ?", [submitted["run_id"]]).fetchone()
    assert json.loads(kept)["timeout"] == 7 * 60
    state = bench.state(config_id)
    assert state.last_databricks_run == submitted["run_page_url"]
    assert f"/runs/{run.run_id.split('T')[0]}" in state.last_airflow_run
    pushed = xcoms(run)
    assert pushed["load", 0, "load_record"]["rows_processed"] == 50
    assert pushed["load", 0, "_link_DatabricksJobRunLink"] == submitted["run_page_url"]
    assert pushed["load", 0, "_link_LoadRecordLink"].endswith("/tasks/load/mapped/0/xcom")
    with create_session() as session:
        (event,) = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)).all()
        assert event.asset.uri == f"x-dataloader://bronze/{bench.schema}/items"
        assert (event.source_map_index, event.extra["target_version"]) == (0, load.target_version)


def test_a_load_that_gets_the_ids_of_a_lost_one_gets_a_run_of_its_own(
    bench: Bench, workspace: Workspace
) -> None:
    """The control database came back from a backup; the workspace remembers the lost load's run."""
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    config_id = bench.row(next_load_date_time=LONG_AGO)
    dag().test()
    (lost,) = bench.history(config_id)
    with bench.control.begin() as connection:
        for statement in RESTORE:
            connection.exec_driver_sql(statement)
    run = dag().test()
    (load,) = bench.history(config_id)
    assert (load.id, load.epoch) == (lost.id, lost.epoch)
    assert states(run) == {("claim", -1): "success", ("load", 0): "failed"}
    assert load.databricks_run != lost.databricks_run
    assert len(workspace.runs()) == 2
    # Its loader has looked at the target, and says how to go on.
    assert f"dataloader db advance-epoch {config_id} " in load.log_message


def test_a_table_that_fails_touches_no_other(bench: Bench, workspace: Workspace) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    good = bench.row(next_load_date_time=LONG_AGO)
    bad = bench.row("missing", next_load_date_time=LONG_AGO, priority=1)
    run = dag().test()
    assert states(run) == {("claim", -1): "success", ("load", 0): "failed", ("load", 1): "success"}
    assert bench.target_rows() == bench.source_rows()
    assert (bench.state(good).last_status, bench.state(bad).last_status) == ("Succeeded", "Failed")
    record = xcoms(run)["load", 0, "load_record"]
    assert record["message"] == bench.state(bad).last_status_message
    assert len(workspace.runs()) == 2


@pytest.mark.parametrize("kind", ["skipped", "internal_error"])
def test_a_run_that_never_ran_ends_its_load(bench: Bench, workspace: Workspace, kind: str) -> None:
    config_id = bench.row(next_load_date_time=LONG_AGO)
    workspace.order(kind)
    run = dag().test()
    assert states(run)["load", 0] == "failed"
    (load,) = bench.history(config_id)
    assert (load.load_status, load.failure["settled_by"]) == ("Failed", "trigger")
    assert "A fault was ordered" in load.log_message
    assert bench.state(config_id).last_status == "Failed"


def test_an_answer_that_is_lost_submits_nothing_twice(bench: Bench, workspace: Workspace) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    config_id = bench.row(next_load_date_time=LONG_AGO)
    workspace.order("lost_answer", path="runs/submit")
    assert states(dag().test())["load", 0] == "success"
    assert len(workspace.runs()) == 1
    assert bench.history(config_id)[0].load_status == "Succeeded"


def test_a_refusal_of_the_api_ends_the_load_at_once(bench: Bench, workspace: Workspace) -> None:
    config_id = bench.row(next_load_date_time=LONG_AGO)
    workspace.order("status", path="runs/submit", status=403)
    run = dag().test()
    (task,) = [ti for ti in run.get_task_instances() if ti.task_id == "load"]
    assert (str(task.state), task.try_number) == ("failed", 1)
    assert "could not be submitted" in bench.history(config_id)[0].log_message
    assert workspace.runs() == []


def test_a_refusal_that_passes_is_asked_again(
    bench: Bench, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_dataloader.dag_factory.load._RETRIES", 3)
    monkeypatch.setattr("airflow_dataloader.dag_factory.load._RETRY_DELAY", timedelta(0))
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    config_id = bench.row(next_load_date_time=LONG_AGO)
    passing = (408, 409, 425)
    for status in passing:
        workspace.order("status", path="runs/submit", status=status)
    run = dag().test()
    (task,) = [ti for ti in run.get_task_instances() if ti.task_id == "load"]
    assert (str(task.state), task.try_number) == ("success", len(passing) + 1)
    assert len(workspace.runs()) == 1
    assert bench.history(config_id)[0].load_status == "Succeeded"


def test_nothing_of_a_row_is_ever_rendered(
    bench: Bench,
    workspace: Workspace,
    connections: Connections,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    connections.define("canary", conn_type="generic", password=SECRET)
    rendered = xcoms(dag_of_a_file("rendering", tmp_path, RENDERING).test())
    assert rendered == {("say", -1, "return_value"): SECRET}
    caplog.clear()
    bench.source.execute(f'CREATE SCHEMA "{TEMPLATE}"')
    bench.source.execute(f'CREATE TABLE "{TEMPLATE}"."{TEMPLATE}" AS SELECT 1 AS "{TEMPLATE}"')
    asking = bench.row(
        next_load_date_time=LONG_AGO,
        priority=1,
        load_strategy="full",
        query=f"SELECT '{TEMPLATE}' AS said",
        destination_table_name="asked",
        incremental_value=TEMPLATE,
        rolling_column=TEMPLATE,
        lower_bound=TEMPLATE,
        upper_bound=TEMPLATE,
    )
    config_id = bench.row(
        next_load_date_time=LONG_AGO,
        source_table_schema=TEMPLATE,
        source_table_name=TEMPLATE,
        destination_table_catalog=TEMPLATE,
        destination_table_schema=TEMPLATE,
        destination_table_name=TEMPLATE,
        owner=TEMPLATE,
        tags=[TEMPLATE],
        incremental_column=TEMPLATE,
        primary_key_cols=TEMPLATE,
        partition_column=TEMPLATE,
        last_status_message=TEMPLATE,
    )
    refused = bench.row(
        next_load_date_time=LONG_AGO, destination_table_name="refused", load_strategy=TEMPLATE
    )
    failing = bench.row(
        next_load_date_time=LONG_AGO,
        source_table_schema=TEMPLATE,
        source_table_name=f"missing {TEMPLATE}",
        destination_table_name="failing",
    )
    run = dag().test()
    tasks = {ti.map_index: ti for ti in run.get_task_instances() if ti.task_id == "load"}
    ended = {bench.history(row)[0].id: row for row in (asking, config_id, refused, failing)}
    claimed = [ended[load["metadata_id"]] for load in xcoms(run)["claim", -1, "return_value"]]
    assert {claimed[index]: str(ti.state) for index, ti in tasks.items()} == {
        asking: "success",
        config_id: "success",
        refused: "failed",
        failing: "failed",
    }
    for row in (refused, failing):
        assert TEMPLATE in bench.state(row).last_status_message
        assert TEMPLATE in xcoms(run)["load", claimed.index(row), "load_record"]["message"]
    assert TEMPLATE in tasks[claimed.index(config_id)].rendered_map_index
    assert bench.target_rows("asked") == {(TEMPLATE,): 1}
    pushed = xcoms(run)
    assert TEMPLATE in pushed["claim", -1, "return_value"][claimed.index(config_id)]["label"]
    assert TEMPLATE in pushed["claim", -1, "return_value"][claimed.index(refused)]["message"]
    shown = [ti.rendered_map_index for ti in tasks.values()]
    kept = [(bench.history(row), bench.state(row)) for row in (asking, config_id, refused, failing)]
    for text in (pushed, workspace.runs(), kept, shown, caplog.text):
        assert SECRET not in str(text)
