"""Ends of loads whose runs are over without them, or that never had one."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.claim import Claimed
from airflow_dataloader.control.end_without_loader import end_unsubmitted, end_with_run
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.load_view import view_load
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.exceptions import Fenced
from tests.factories import add_row, add_source
from tests.integration.control.drive import ago, claim_now, load, row, sql, start_now


def ended(reason: str, *, cancelled: bool = False) -> Run:
    return Run(state=RunState.ENDED, reason=reason, cancelled=cancelled, termination_code="CODE")


def end_with(control: Engine, metadata_id: int, run: Run) -> bool:
    """End the load as what watches it does, which has seen it before."""
    seen = view_load(control, metadata_id)
    assert seen is not None
    return end_with_run(control, metadata_id, seen.claimed_at, run)


@pytest.fixture
def claimed(control: Engine) -> Claimed:
    add_source(control, "shop")
    return claim_now(control, add_row(control, destination_table_name="orders"))


@pytest.mark.parametrize(("cancelled", "status"), [(False, "Failed"), (True, "Cancelled")])
@pytest.mark.parametrize("running", [False, True])
def test_a_load_whose_run_is_over_ends_with_its_reason(
    control: Engine, claimed: Claimed, *, running: bool, cancelled: bool, status: str
) -> None:
    if running:
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    assert end_with(control, claimed.metadata_id, ended("SKIPPED: too many", cancelled=cancelled))
    record = load(control, claimed.metadata_id)
    assert (record["load_status"], row(control, claimed.config_id)["last_status"]) == (status, "Failed")
    assert record["failure"]["settled_by"] == "trigger"
    assert record["failure"]["termination_code"] == "CODE"
    assert record["log_message"].endswith(": SKIPPED: too many.")
    assert not end_with(control, claimed.metadata_id, ended("again"))
    watched = view_load(control, claimed.metadata_id)
    assert watched is not None
    assert watched.over
    assert watched.facts()["load_status"] == status


def test_a_load_that_has_succeeded_is_left_alone(control: Engine, claimed: Claimed) -> None:
    started = lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    receipt = Receipt(rows_read=3, rows_inserted=3, target_version=7)
    settle.succeed(control, started, receipt=receipt, watermark=None)
    assert not end_with(control, claimed.metadata_id, ended("FAILED: at exit"))
    watched = view_load(control, claimed.metadata_id)
    assert watched is not None
    assert watched.facts() == watched.facts() | {
        "load_status": "Succeeded",
        "rows_processed": 3,
        "target_version": 7,
        "target": ["bronze", "shop", "orders"],
    }


def test_what_a_reap_is_ending_keeps_the_reaps_reason(control: Engine) -> None:
    add_source(control, "shop")
    started = start_now(control, add_row(control))
    sql(
        control,
        "UPDATE control.historical_metadata SET reaping_until = now() + interval '1 minute' WHERE id = :id",
        id=started.metadata_id,
    )
    assert not end_with(control, started.metadata_id, ended("CANCELED", cancelled=True))
    ago(control, started.metadata_id, reaping_until=1)
    assert end_with(control, started.metadata_id, ended("CANCELED", cancelled=True))


def given_up(control: Engine, claimed: Claimed, message: str, *, by: str = "ti/1") -> bool:
    """End the load as a try of its task does that could not submit it."""
    return end_unsubmitted(control, claimed.metadata_id, claimed.epoch, message, airflow_task=by)


def answer_for(control: Engine, claimed: Claimed, airflow_task: str) -> None:
    """Put a try of the load's task on record."""
    ids = (claimed.metadata_id, claimed.epoch)
    update_run_tracking(control, *ids, airflow_task=airflow_task, submit_token="adl-1-1")


def test_a_load_that_was_never_submitted_ends_and_refuses_a_late_run(
    control: Engine, claimed: Claimed
) -> None:
    answer_for(control, claimed, "ti/1")
    assert given_up(control, claimed, "No such cluster.")
    record = load(control, claimed.metadata_id)
    assert (record["load_status"], record["log_message"]) == ("Failed", "No such cluster.")
    with pytest.raises(Fenced):
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")


def test_a_load_that_has_started_was_submitted(control: Engine, claimed: Claimed) -> None:
    answer_for(control, claimed, "ti/1")
    lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    assert not given_up(control, claimed, "The answer was lost.")


def test_a_load_that_another_try_answers_for_is_not_given_up(control: Engine, claimed: Claimed) -> None:
    """It may have been submitted by that try, and wait for its cluster."""
    answer_for(control, claimed, "ti/2")
    assert not given_up(control, claimed, "Refused.", by="ti/1")
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"
    assert given_up(control, claimed, "Refused.", by="ti/2")


def test_a_cancel_by_a_task_spares_what_another_answers_for(control: Engine, claimed: Claimed) -> None:
    assert not cancel(control, claimed.metadata_id, "no", airflow_task="ti/1")
    sql(
        control,
        "UPDATE control.historical_metadata SET airflow_task = 'ti/1' WHERE id = :id",
        id=claimed.metadata_id,
    )
    assert not cancel(control, claimed.metadata_id, "no", airflow_task="ti/0")
    assert cancel(control, claimed.metadata_id, "yes", airflow_task="ti/1")


def test_the_end_of_a_lost_load_s_run_is_not_that_of_the_load_which_has_its_id_by_now(
    control: Engine, claimed: Claimed
) -> None:
    """After a restore from a backup ids are given out again."""
    seen = view_load(control, claimed.metadata_id)
    assert seen is not None
    before = str(float(seen.claimed_at) - 3600)
    assert not end_with_run(control, claimed.metadata_id, before, ended("SUCCESS"))
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"
