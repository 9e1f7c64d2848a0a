"""A failed row, tried again or left to a person."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import settle
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.intervene import advance_epoch, cancel
from airflow_dataloader.control.retry import Reset, mark_for_review, reset_for_retry
from airflow_dataloader.core.receipt import Receipt
from tests.factories import add_source
from tests.integration.control.drive import (
    WAITING,
    claim_now,
    due_row,
    edit,
    load,
    new_run,
    row,
    sql,
    start_now,
)
from tests.waiting import until


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return due_row(control, load_cron="0 0 1 1 *")


def fail(engine: Engine, config_id: int) -> int:
    metadata_id = claim_now(engine, config_id).metadata_id
    cancel(engine, metadata_id, "oops")
    return metadata_id


def test_a_reset_row_is_due_at_once_and_counted(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    assert claim(control, airflow_run="too early") == []
    assert reset_for_retry(control, config_id, "looks like a network fault", changed_by="anna") is Reset.RETRY
    current = row(control, config_id)
    assert (current["last_status"], current["retry_count"], current["row_version"]) == (None, 1, 1)
    assert current["last_status_message"] == (
        "[AI Analysis - Retry Recommended] looks like a network fault oops"
    )
    (claimed,) = claim(control, airflow_run="now")
    assert (claimed.config_id, load(control, claimed.metadata_id)["attempt"]) == (config_id, 2)


def test_the_reset_is_on_record(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    reset_for_retry(control, config_id, "again", changed_by="anna")
    assert sql(
        control,
        "SELECT changed_by, change_source, old_values ->> 'last_status', new_values ->> 'last_status' "
        "FROM control.table_control_history WHERE change_type = 'UPDATE'",
    ) == [("anna", "status_reset", "Failed", None)]


def test_three_retries_and_then_a_person(control: Engine, config_id: int) -> None:
    told = []
    for _ in range(4):
        fail(control, config_id)
        told.append(reset_for_retry(control, config_id, "again"))
    assert told == [Reset.RETRY, Reset.RETRY, Reset.RETRY, Reset.REVIEW]
    current = row(control, config_id)
    assert (current["last_status"], current["retry_count"]) == ("Failed", 3)
    assert current["last_status_message"].startswith("[AI Analysis - Requires Review] Retries exhausted.")
    assert claim(control, airflow_run="waits for its slot") == []


def test_another_number_of_retries(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    assert reset_for_retry(control, config_id, "again", max_retries=0) is Reset.REVIEW
    assert row(control, config_id)["retry_count"] == 0
    assert reset_for_retry(control, config_id, "again", max_retries=9) is Reset.RETRY


def test_success_gives_all_retries_back(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    reset_for_retry(control, config_id, "again")
    settle.succeed(control, start_now(control, config_id), receipt=Receipt(), watermark=None)
    assert row(control, config_id)["retry_count"] == 0


def test_only_a_failed_row_is_reset_or_marked(control: Engine, config_id: int) -> None:
    assert reset_for_retry(control, config_id, "never ran") is Reset.UNCHANGED
    started = start_now(control, config_id)
    assert reset_for_retry(control, config_id, "runs") is Reset.UNCHANGED
    assert not mark_for_review(control, config_id, "runs")
    settle.succeed(control, started, receipt=Receipt(), watermark=None)
    assert reset_for_retry(control, config_id, "went well") is Reset.UNCHANGED
    assert reset_for_retry(control, 999, "is not there") is Reset.UNCHANGED
    assert row(control, config_id)["last_status"] == "Succeeded"


def test_a_marked_row_stays_failed_and_its_next_slot_still_tries_it(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    assert mark_for_review(control, config_id, "the password is wrong.")
    current = row(control, config_id)
    assert (current["last_status"], current["retry_count"]) == ("Failed", 0)
    assert current["last_status_message"] == "[AI Analysis - Requires Review] the password is wrong. oops"
    sql(control, "UPDATE control.table_control SET next_load_date_time = '2020-01-01'")
    assert [load.config_id for load in claim(control, airflow_run=new_run())] == [config_id]


def test_a_verdict_is_about_one_load(control: Engine, config_id: int) -> None:
    first, second = fail(control, config_id), fail(control, config_id)
    before = row(control, config_id)
    assert reset_for_retry(control, config_id, "network", metadata_id=first) is Reset.UNCHANGED
    assert not mark_for_review(control, config_id, "password", metadata_id=first)
    assert row(control, config_id) == before
    other = due_row(control)
    fail(control, other)
    assert not mark_for_review(control, other, "password", metadata_id=second), "a load of another row"
    assert mark_for_review(control, config_id, "password", metadata_id=second)
    assert reset_for_retry(control, config_id, "network", metadata_id=second) is Reset.RETRY


@pytest.mark.parametrize("verdict", [reset_for_retry, mark_for_review])
def test_a_verdict_that_meets_a_later_load_just_failing_is_not_about_it(
    control: Engine, config_id: int, verdict: Callable[..., Any]
) -> None:
    first = fail(control, config_id)
    with ThreadPoolExecutor(1) as pool, control.begin() as failing:
        for status in ("Queued", "Failed"):
            failing.execute(
                text("UPDATE control.table_control SET last_status = :s WHERE config_id = :id"),
                {"s": status, "id": config_id},
            )
        told = pool.submit(verdict, control, config_id, "network", metadata_id=first)
        until(lambda: sql(control, WAITING))
        failing.execute(
            text(
                "INSERT INTO control.historical_metadata (control_key, config_id, epoch, load_status) "
                "SELECT control_key, config_id, load_epoch + 1, 'Failed' FROM control.table_control"
            )
        )
        failing.commit()
        assert told.result() in {Reset.UNCHANGED, False}
    assert (row(control, config_id)["last_status"], row(control, config_id)["retry_count"]) == ("Failed", 0)


@pytest.mark.parametrize("named", [True, False])
def test_the_same_verdict_twice_changes_nothing_more(control: Engine, config_id: int, named: bool) -> None:
    failed = fail(control, config_id)
    about = failed if named else None
    assert mark_for_review(control, config_id, "look", metadata_id=about)
    before = row(control, config_id)
    assert before["last_status_message"] == "[AI Analysis - Requires Review] look oops"
    assert mark_for_review(control, config_id, "look", metadata_id=about)
    assert row(control, config_id) == before
    assert reset_for_retry(control, config_id, "again", metadata_id=about) is Reset.RETRY
    before = row(control, config_id)
    assert reset_for_retry(control, config_id, "again", metadata_id=about) is Reset.UNCHANGED
    assert row(control, config_id) == before


def test_a_verdict_holds_also_where_the_epoch_was_advanced(control: Engine, config_id: int) -> None:
    about = fail(control, config_id)
    advance_epoch(control, config_id, 50)
    assert mark_for_review(control, config_id, "look", metadata_id=about)
    assert reset_for_retry(control, config_id, "again", metadata_id=about) is Reset.RETRY


def test_used_up_retries_are_said_once(control: Engine, config_id: int) -> None:
    edit(control, config_id, retry_count=3)
    about = fail(control, config_id)
    said = "[AI Analysis - Requires Review] Retries exhausted."
    assert row(control, config_id)["last_status_message"] == f"{said} oops"
    for _ in range(2):
        assert reset_for_retry(control, config_id, "again", metadata_id=about) is Reset.REVIEW
        assert row(control, config_id)["last_status_message"] == f"{said} again oops"
        assert row(control, config_id)["retry_count"] == 3
    assert mark_for_review(control, config_id, "look")
    assert row(control, config_id)["last_status_message"] == (
        "[AI Analysis - Requires Review] look Retries exhausted. again oops"
    )


def test_a_reason_that_cannot_be_kept_is_kept_as_far_as_it_can(control: Engine, config_id: int) -> None:
    fail(control, config_id)
    assert mark_for_review(control, config_id, "no\0thing")
    assert reset_for_retry(control, config_id, "a\ud800gain", changed_by="an\0na") is Reset.RETRY
    said = row(control, config_id)["last_status_message"]
    assert ("no\ufffdthing" in said, "a\ufffdgain" in said) == (True, True)
