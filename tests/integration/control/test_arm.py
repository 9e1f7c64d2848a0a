"""Arming: a cron row without a slot gets its next one from the next claim."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.arm import arm
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.config_snapshot import text
from tests.factories import add_row, add_source
from tests.integration.control.drive import LONG_AGO, claim_now, edit, row, sql


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control, "shop", max_concurrent_loads=100)


def armed(engine: Engine, **limits: int) -> int:
    with transaction(engine) as connection:
        return arm(connection, **limits)


def test_a_new_row_with_a_cron_waits_for_its_next_slot(control: Engine) -> None:
    config_id = add_row(control, load_cron="0 3 1 1 *", load_timezone="America/New_York")
    assert claim(control, airflow_run="run") == []
    slot = row(control, config_id)["next_load_date_time"].astimezone(UTC)
    assert (slot.month, slot.day, slot.hour) == (1, 1, 8)
    assert slot > datetime.now(UTC)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        *({"load_cron": blank} for blank in ("", "  ", "\t", "\n", "\u00a0", "\u2003\r ")),
        {"load_cron": "0 3 * * *", "is_active": False},
    ],
)
def test_rows_without_a_cron_or_inactive_stay_as_they_are(
    control: Engine, overrides: dict[str, object]
) -> None:
    config_id = add_row(control, **overrides)
    assert armed(control) == 0
    assert row(control, config_id)["next_load_date_time"] is None


def test_a_slot_that_somebody_gave_stays(control: Engine) -> None:
    config_id = add_row(control, load_cron="0 3 * * *", next_load_date_time="2999-01-01")
    assert armed(control) == 0
    assert row(control, config_id)["next_load_date_time"].year == 2999


def test_a_new_cron_arms_anew_also_while_a_load_runs(control: Engine) -> None:
    config_id = add_row(control, load_cron="0 3 1 1 *")
    claim_now(control, config_id)
    edit(control, config_id, load_cron="0 3 1 2 *")
    assert armed(control) == 1
    assert row(control, config_id)["next_load_date_time"].month == 2
    assert row(control, config_id)["last_status"] == "Queued"


def test_so_many_at_once_and_no_more(control: Engine) -> None:
    for _ in range(5):
        add_row(control, load_cron="0 3 * * *")
    assert [armed(control, at_once=2) for _ in range(4)] == [2, 2, 1, 0]


def test_arming_is_no_edit(control: Engine) -> None:
    config_id = add_row(control, load_cron="0 3 * * *")
    armed(control)
    assert row(control, config_id)["row_version"] == 1


@pytest.mark.parametrize(
    "wrong", [{"load_cron": "often"}, {"load_cron": "@daily", "load_timezone": "Berlin"}]
)
def test_what_cannot_be_read_is_made_due_and_told_once(control: Engine, wrong: dict[str, str]) -> None:
    config_id = add_row(control, **wrong)
    (refused,) = claim(control, airflow_run="run")
    assert (refused.config_id, refused.load_status) == (config_id, "Failed")
    assert claim(control, airflow_run="next") == []
    assert sql(control, "SELECT count(*) FROM control.historical_metadata") == [(1,)]


@pytest.mark.parametrize("blank", ["\t", "\n", "\u00a0"])
def test_a_row_that_is_loaded_once_with_a_blank_cron_has_no_slot_after_that(
    control: Engine, blank: str
) -> None:
    config_id = add_row(control, load_cron=blank, next_load_date_time=LONG_AGO)
    (claimed,) = claim(control, airflow_run="run")
    cancel(control, claimed.metadata_id, "enough")
    assert row(control, config_id)["next_load_date_time"] is None
    assert claim(control, airflow_run="next") == []


def test_the_database_and_python_agree_on_what_is_blank(control: Engine) -> None:
    given = sql(
        control,
        "SELECT c FROM generate_series(1, 1114111) c"
        " WHERE c NOT BETWEEN 55296 AND 57343 AND control.given(chr(c)) IS NULL",
    )
    blank = [code for code in range(1, sys.maxunicode + 1) if text({"said": chr(code)}, "said") is None]
    assert [code for (code,) in given] == blank
    assert sql(control, "SELECT control.given(E'\\t a b\\u00a0')") == [("a b",)]
