"""Runs of the load DAG that submit nothing."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.claim import _LOCK as CLAIM_LOCK
from airflow_dataloader.operators.claim import ClaimOperator
from tests.airflow_db import Connections, clear, dag, dag_of_its_own
from tests.factories import add_source
from tests.faults.proxy import Fault, Plan, proxied
from tests.integration.control.drive import due_row, load, loads_of, row, sql
from tests.waiting import until


@pytest.fixture(autouse=True)
def _stand(
    airflow_db: str, control_url: str, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_dataloader.dag_factory.load._RETRY_DELAY", timedelta(0))
    connections.control(control_url)
    # Nobody listens there.
    connections.databricks("http://127.0.0.1:9", "token")


def states(run: Any) -> dict[tuple[str, int], str]:
    return {(ti.task_id, ti.map_index): str(ti.state) for ti in run.get_task_instances()}


def test_nothing_due_is_a_quiet_success(control: Engine) -> None:
    run = dag().test()
    assert str(run.state) == "success"
    assert states(run) == {("claim", -1): "success", ("load", -1): "skipped"}


def test_a_claim_that_is_cleared_alone_claims_nothing(control: Engine) -> None:
    """Airflow would never make tasks of it."""
    loading = dag()
    run = loading.test()
    add_source(control, "shop")
    config_id = due_row(control)
    alone = clear(loading, run, "claim")
    assert states(alone) == {("claim", -1): "success", ("load", -1): "skipped"}
    assert loads_of(control, config_id) == []
    whole = clear(loading, run, "claim", "load")
    assert states(whole) == {("claim", -1): "success", ("load", 0): "failed"}
    assert len(loads_of(control, config_id)) == 1
    assert states(clear(loading, run, "claim")) == states(whole), "it gives the answer that it gave before"
    assert len(loads_of(control, config_id)) == 1


def test_a_row_that_cannot_be_loaded_fails_its_own_task_and_submits_nothing(control: Engine) -> None:
    add_source(control, "shop")
    config_id = due_row(control, load_strategy="incremental", primary_key_cols=None)
    run = dag().test()
    assert states(run) == {("claim", -1): "success", ("load", 0): "failed"}
    (record,) = loads_of(control, config_id)
    assert (record["load_status"], record["failure"]["settled_by"]) == ("Failed", "claim")
    assert record["databricks_run"] is None
    assert record["airflow_run"] == run.run_id
    (task,) = [ti for ti in run.get_task_instances() if ti.task_id == "load"]
    assert task.rendered_map_index.startswith(f"config_id {config_id} ")


def test_two_load_dags_whose_runs_have_one_name_load_rows_of_their_own(
    control: Engine, tmp_path: Path
) -> None:
    add_source(control, "shop")
    day = datetime(2025, 3, 1, tzinfo=UTC)
    claimed = []
    for loading in (dag(), dag_of_its_own("other_load", tmp_path)):
        # Refused by the claim itself, so that nothing is submitted.
        config_id = due_row(control, load_strategy="incremental", primary_key_cols=None)
        run: Any = loading.test(logical_date=day, run_after=day)
        (record,) = loads_of(control, config_id)
        claimed.append((record["airflow_run"], record["airflow_base_url"]))
        assert record["airflow_run"] == run.run_id
    assert [run_id for run_id, _ in claimed] == [claimed[0][0]] * 2
    assert [page for _, page in claimed] == ["/dags/dataloader_load", "/dags/other_load"]


def test_a_workspace_that_cannot_be_reached_ends_the_load_with_the_last_try(control: Engine) -> None:
    add_source(control, "shop")
    config_id = due_row(control)
    run = dag().test()
    assert states(run)["load", 0] == "failed"
    (record,) = loads_of(control, config_id)
    assert record["load_status"] == "Failed"
    assert "could not be submitted to Databricks" in record["log_message"]
    assert row(control, config_id)["last_status"] == "Failed"
    assert load(control, record["id"])["submit_token"].startswith("adl-")


def test_a_claim_whose_answer_is_lost_asks_for_it_again(
    control: Engine, control_url: str, connections: Connections
) -> None:
    """It was committed: no later run has these loads, and the task's tries end within half a minute."""
    add_source(control, "shop")
    config_id = due_row(control)
    task = SimpleNamespace(id="claiming", dag_id="dataloader_load", run_id="run", try_number=1)
    with proxied(control_url) as (between, url):
        connections.control(url)
        between.plan = Plan(Fault.RESET, asked=b"control.queue_rows")
        context: Any = {"ti": task}
        (claimed,) = ClaimOperator(task_id="claim").execute(context)
        assert between.met == 1
    assert [claimed["metadata_id"]] == [one["id"] for one in loads_of(control, config_id)]


@pytest.mark.faults
def test_a_claim_that_is_never_answered_is_ended_and_tried_again_for_the_same_loads(
    control: Engine, control_url: str, connections: Connections
) -> None:
    add_source(control, "shop")
    config_id = due_row(control)
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with proxied(control_url) as (between, url), psycopg.connect(control_url) as own:
        connections.control(url)
        own.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])

        def lose_its_commit() -> None:
            until(lambda: sql(control, waiting))
            between.plan = Plan(Fault.STALL, asked=b"COMMIT\0")
            own.rollback()
            until(lambda: between.met)
            between.plan = Plan()

        losing = threading.Thread(target=lose_its_commit)
        losing.start()
        loading = dag()
        loading.get_task("claim").execution_timeout = timedelta(seconds=15)
        run = loading.test()
        losing.join()
    (claiming,) = [ti for ti in run.get_task_instances() if ti.task_id == "claim"]
    assert (str(claiming.state), claiming.try_number) == ("success", 2)
    (record,) = loads_of(control, config_id)
    assert states(run).keys() == {("claim", -1), ("load", 0)}
    assert "could not be submitted to Databricks" in record["log_message"]
