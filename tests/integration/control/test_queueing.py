"""What the claim writes: the row Queued, and a load that says where it comes from."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.retry import reset_for_retry
from airflow_dataloader.core.strategy import Trigger
from tests.factories import add_source
from tests.integration.control.drive import claim_now, due_row, load, row, sql


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop")


def test_a_load_says_what_it_is(control: Engine) -> None:
    config_id = due_row(
        control,
        source_table_catalog="db",
        source_table_name="orders",
        destination_table_name="orders",
        load_strategy="incremental",
        incremental_column="changed_at",
        incremental_value="2026-01-01",
        primary_key_cols="id",
        last_status_message="old words",
    )
    (claimed,) = claim(
        control, airflow_run="run", airflow_task="ti-1/1", airflow_base_url="https://airflow.example"
    )
    record, current = load(control, claimed.metadata_id), row(control, config_id)
    expected = {
        "control_key": current["control_key"],
        "run_id": "run",
        "source_catalog": "db",
        "source_schema": "public",
        "source_table": "orders",
        "target_catalog": "bronze",
        "target_schema": "shop",
        "target_table": "orders",
        "load_status": "Queued",
        "config_id": config_id,
        "epoch": 1,
        "attempt": 1,
        "trigger": "schedule",
        "mode": "incremental",
        "airflow_run": "run",
        "airflow_task": "ti-1/1",
        "airflow_base_url": "https://airflow.example",
        "watermark_low": "2026-01-01",
        "config_snapshot": claimed.config,
        "load_start_time": None,
        "load_end_time": None,
        "start_nonce": None,
        "failure": None,
        "verdict": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert (current["last_airflow_run"], current["last_databricks_run"]) == ("run", None)
    assert current["last_status_message"] is None
    assert current["last_status_date_time"] == record["load_queued_time"]
    assert current["load_epoch"] == 1
    assert (record["lease_until"] - record["load_queued_time"]).total_seconds() == 600


def test_a_claim_is_no_edit(control: Engine) -> None:
    config_id = due_row(control)
    before = row(control, config_id)
    claim_now(control, config_id)
    after = row(control, config_id)
    assert (after["row_version"], after["last_modified_at"]) == (
        before["row_version"],
        before["last_modified_at"],
    )
    assert sql(control, "SELECT change_type FROM control.table_control_history") == [("INSERT",)]


def test_a_retry_says_so_and_counts(control: Engine) -> None:
    config_id = due_row(control)
    claim_now(control, config_id)
    sql(control, "UPDATE control.table_control SET last_status = 'Failed'")
    reset_for_retry(control, config_id, "try again")
    (retried,) = claim(control, airflow_run="retry")
    record = load(control, retried.metadata_id)
    assert (record["trigger"], record["attempt"]) == ("retry", 2)


def test_a_person_s_load_of_a_reset_row_is_the_person_s(control: Engine) -> None:
    config_id = due_row(control)
    claim_now(control, config_id)
    sql(control, "UPDATE control.table_control SET last_status = 'Failed'")
    reset_for_retry(control, config_id, "try again")
    claimed = claim_now(control, config_id, trigger=Trigger.MANUAL)
    assert load(control, claimed.metadata_id)["trigger"] == "manual"


def test_ids_follow_the_order_of_the_claim(control: Engine) -> None:
    rows = [due_row(control, priority=number) for number in range(5)]
    claimed = claim(control, airflow_run="run")
    assert [load.config_id for load in claimed] == rows[::-1]
    assert [load.metadata_id for load in claimed] == sorted(load.metadata_id for load in claimed)
