"""Live loads, as somebody sees them who has to decide."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.live import ObservedLoad, live_loads
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.status import RowStatus
from tests.factories import add_source
from tests.integration.control.drive import ago, claim_now, due_row, repair, start_now


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop")


def see(engine: Engine) -> list[ObservedLoad]:
    with transaction(engine) as connection:
        return live_loads(connection)


def test_ages_are_the_database_s(control: Engine) -> None:
    started = start_now(control, due_row(control, max_runtime_minutes=30))
    ago(
        control,
        started.metadata_id,
        load_queued_time=400,
        load_start_time=300,
        progress_at=200,
        lease_until=100,
    )
    (seen,) = see(control)
    load = seen.load
    ages = (load.since_claim, load.since_start, load.since_progress, load.lease_over)
    assert ages == pytest.approx((400, 300, 200, 100), abs=20)
    assert (load.status, load.max_runtime_minutes, load.has_run) == (RowStatus.IN_PROGRESS, 30, False)
    assert load.reaping_over is None
    assert seen.run is None


def test_a_queued_load_has_no_start(control: Engine) -> None:
    claimed = claim_now(control, due_row(control))
    update_run_tracking(control, claimed.metadata_id, 1, databricks_run="7", workspace_host="https://w")
    (seen,) = see(control)
    assert (seen.load.since_start, seen.load.since_progress) == (0, 0)
    assert seen.load.lease_over == pytest.approx(-600, abs=20)
    assert seen.run == ("https://w", "7")


def test_only_loads_that_own_their_rows(control: Engine) -> None:
    over = claim_now(control, due_row(control))
    cancel(control, over.metadata_id, "over")
    lost = due_row(control)
    start_now(control, lost)
    repair(control, lost, last_status=None)
    kept = claim_now(control, due_row(control))
    assert [seen.metadata_id for seen in see(control)] == [kept.metadata_id]
