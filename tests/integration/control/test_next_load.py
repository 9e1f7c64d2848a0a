"""When a load also looks for deleted rows: the first one after each slot of ``delete_cron``."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.due import TakenRow
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.next_load import next_load
from airflow_dataloader.control.retry import reset_for_retry
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.strategy import Trigger
from tests import descriptors
from tests.factories import add_row, add_source
from tests.integration.control.drive import LONG_AGO, claim_now, edit, load, repair, row

SCANNED = {
    "load_strategy": "incremental",
    "primary_key_cols": "id",
    "incremental_column": "at",
    "load_cron": "* * * * *",
    "delete_policy": "scan",
    "delete_cron": "0 3 1 1 *",
}


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control)


def scanned(control: Engine, **columns: Any) -> int:
    return add_row(control, **(SCANNED | columns), next_load_date_time=LONG_AGO)


def again(control: Engine, config_id: int, *, starts: bool = True, asked: bool = False) -> Claimed:
    """Claim the row in its turn, or as it is asked for; its load fails, once it has started or before."""
    edit(control, config_id, next_load_date_time=LONG_AGO)
    by_hand: Any = {"only": [config_id], "trigger": Trigger.MANUAL} if asked else {}
    (claimed,) = claim(control, airflow_run=f"run {row(control, config_id)['load_epoch']}", **by_hand)
    if starts:
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="nonce")
    cancel(control, claimed.metadata_id, "enough", status=LoadStatus.FAILED)
    return claimed


def scans(claimed: Claimed) -> bool:
    return LoadConfig.from_snapshot(claimed.config).delete_scan


def new_year(hour: int = 3) -> datetime:
    return datetime(datetime.now(UTC).year + 1, 1, 1, hour, tzinfo=UTC)


def test_the_first_claim_gives_the_slot_and_the_first_after_it_scans(control: Engine) -> None:
    config_id = scanned(control)
    first = again(control, config_id)
    assert not scans(first)
    assert row(control, config_id)["next_delete_scan"] == new_year()
    assert not scans(again(control, config_id))
    edit(control, config_id, next_delete_scan=datetime.now(UTC) - timedelta(seconds=1))
    due = again(control, config_id)
    assert scans(due)
    assert row(control, config_id)["next_delete_scan"] == new_year()
    recorded = load(control, due.metadata_id)
    assert (recorded["mode"], recorded["config_snapshot"]) == ("incremental + delete_scan", due.config)
    assert load(control, first.metadata_id)["mode"] == "incremental"
    assert not scans(again(control, config_id)), "one that failed is not tried again before its slot"


def test_a_retry_scans_if_what_it_retries_was_to(control: Engine) -> None:
    config_id = scanned(control, next_delete_scan=LONG_AGO)
    assert scans(again(control, config_id))
    reset_for_retry(control, config_id, "again")
    retried = again(control, config_id)
    assert (scans(retried), load(control, retried.metadata_id)["trigger"]) == (True, "retry")
    assert row(control, config_id)["next_delete_scan"] == new_year(), "a retry takes no slot away"
    assert not scans(again(control, config_id))
    reset_for_retry(control, config_id, "again")
    assert not scans(again(control, config_id)), "nor one that was not"


def test_a_load_that_never_started_leaves_its_scan_to_the_next(control: Engine) -> None:
    """There was no cluster for it, say: that is no reason to look a week later."""
    config_id = scanned(control, next_delete_scan=LONG_AGO)
    for _ in range(2):
        assert scans(again(control, config_id, starts=False))
    assert row(control, config_id)["next_delete_scan"] == new_year(), "nor is the slot taken away"
    assert scans(again(control, config_id))
    assert not scans(again(control, config_id)), "it has begun, and may be one that can never pass"


def test_a_refused_row_scans_once_it_is_mended(control: Engine) -> None:
    config_id = scanned(control, next_delete_scan=LONG_AGO, num_partitions=0)
    edit(control, config_id, next_load_date_time=LONG_AGO)
    (refused,) = claim(control, airflow_run="refused")
    assert (refused.load_status, row(control, config_id)["next_delete_scan"]) == ("Failed", new_year())
    edit(control, config_id, num_partitions=None)
    assert scans(again(control, config_id))


def test_whoever_asks_for_a_row_has_its_failed_scan_repeated(control: Engine) -> None:
    config_id = scanned(control, next_delete_scan=LONG_AGO)
    assert scans(again(control, config_id))
    for _ in range(2):
        assert scans(again(control, config_id, asked=True))
    assert row(control, config_id)["next_delete_scan"] == new_year(), "that takes no slot away"
    assert not scans(again(control, config_id))
    assert not scans(again(control, config_id, asked=True)), "the load before it was to scan nothing"


def test_a_scan_that_was_made_is_not_repeated(control: Engine) -> None:
    config_id = scanned(control, next_delete_scan=LONG_AGO)
    claimed = claim_now(control, config_id)
    assert scans(claimed)
    started = lease.start(control, claimed.metadata_id, claimed.epoch, nonce="nonce")
    settle.succeed(control, started, receipt=Receipt(), watermark=None)
    repair(control, config_id, last_status="Failed")
    assert not scans(again(control, config_id, asked=True))


def test_the_slot_is_in_the_row_s_zone(control: Engine) -> None:
    config_id = scanned(control, load_timezone="Asia/Tokyo")
    again(control, config_id)
    assert row(control, config_id)["next_delete_scan"] == new_year() - timedelta(hours=9)


@pytest.mark.parametrize(
    ("columns", "given"),
    [
        ({"delete_cron": "0 4 1 1 *"}, None),
        ({"load_timezone": "Asia/Tokyo"}, None),
        ({"delete_policy": "soft"}, None),
        ({"delete_cron": "0 4 1 1 *", "next_delete_scan": LONG_AGO}, LONG_AGO),
        ({"load_cron": "0 1 * * *", "owner": "anna"}, new_year()),
    ],
)
def test_an_edit_of_when_takes_the_slot_away_unless_it_gives_one(
    control: Engine, columns: dict[str, Any], given: datetime | None
) -> None:
    config_id = scanned(control)
    again(control, config_id)
    edit(control, config_id, **columns)
    assert row(control, config_id)["next_delete_scan"] == given


def test_a_row_that_was_asleep_gets_a_new_slot(control: Engine) -> None:
    config_id = scanned(control, next_delete_scan=LONG_AGO)
    edit(control, config_id, is_active=False)
    assert row(control, config_id)["next_delete_scan"] == LONG_AGO
    edit(control, config_id, is_active=True)
    assert row(control, config_id)["next_delete_scan"] is None


def test_rows_that_ignore_deletions_have_no_slot(control: Engine) -> None:
    config_id = scanned(control, delete_policy="ignore", next_delete_scan=LONG_AGO)
    assert not scans(again(control, config_id))
    assert row(control, config_id)["next_delete_scan"] is None


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"delete_cron": "sometimes"}, "delete_cron"),
        ({"delete_cron": None}, "delete_cron"),
        ({"load_strategy": "full"}, "delete_policy"),
        ({"load_strategy": "append_only", "primary_key_cols": None}, "primary_key_cols"),
        ({"load_timezone": "Nowhere"}, "load_timezone"),
    ],
)
def test_what_cannot_be_scanned_is_said_by_the_claim(
    control: Engine, columns: dict[str, Any], field: str
) -> None:
    config_id = scanned(control, **columns)
    (claimed,) = claim(control, airflow_run="run")
    assert claimed.load_status == "Failed"
    assert load(control, claimed.metadata_id)["failure"]["field"] == field
    assert f"{field}: " in row(control, config_id)["last_status_message"]
    # Mended, it goes on.
    edit(control, config_id, **{name: SCANNED.get(name, "UTC") for name in columns})
    again(control, config_id)
    assert row(control, config_id)["next_delete_scan"] == new_year()


def candidate(claimed: Claimed, **changed: Any) -> TakenRow:
    snapshot = {**claimed.config, **changed}
    return TakenRow(
        config_id=claimed.config_id,
        at=LONG_AGO,
        load_timezone=snapshot["load_timezone"],
        is_retry=False,
        next_delete_scan=None,
        repeats_scan=False,
        snapshot=snapshot,
        written=json.dumps(snapshot),
        unreadable=(),
    )


def test_whatever_the_judgement_of_a_row_meets_is_wrong_with_that_row(control: Engine) -> None:
    claimed = again(control, scanned(control))
    planned = next_load(candidate(claimed, num_partitions="four"))
    (problem,) = planned.wrong
    assert "cannot be judged (TypeError: " in problem.what
    assert planned.slot == "2020-01-01T00:01:00+00:00"


def test_a_slot_that_this_machine_cannot_tell_now_is_asked_for_again(control: Engine) -> None:
    claimed = again(control, scanned(control))
    zone = "Asia/Kathmandu"
    ZoneInfo.clear_cache(only_keys=[zone])
    with descriptors.none_free():
        planned = next_load(candidate(claimed, load_timezone=zone))
    assert [problem.field for problem in planned.wrong] == ["load_timezone"]
    assert "cannot be read on this machine" in planned.wrong[0].what
    assert planned.slot == "2020-01-01T01:00:00+00:00"
    assert next_load(candidate(claimed, load_timezone=zone)).wrong == ()
    unknown = next_load(candidate(claimed, load_timezone="Mars/Phobos"))
    assert unknown.slot == "2020-01-01T01:00:00+00:00"
    assert "this machine knows" in unknown.wrong[0].what
    assert next_load(candidate(claimed, load_cron="every day")).slot == "infinity"
