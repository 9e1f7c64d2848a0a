"""A row that is activated or rescheduled loses its slot, unless the statement gives one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.times import LATEST
from airflow_dataloader.control.transaction import transaction
from tests.factories import add_row, add_source

SLOT = datetime(2030, 1, 1, 2, tzinfo=UTC)
OTHER = datetime(2031, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def row(control: Engine) -> int:
    add_source(control)
    return add_row(control, load_cron="0 2 * * *", next_load_date_time=SLOT)


def slot_after(control: Engine, assignments: str, **values: object) -> datetime | None:
    with transaction(control) as connection:
        connection.execute(text(f"UPDATE control.table_control SET {assignments}"), values)
        return connection.execute(text("SELECT next_load_date_time FROM control.table_control")).scalar_one()


def test_a_created_row_keeps_what_the_statement_gives(control: Engine, row: int) -> None:
    assert slot_after(control, "priority = 1") == SLOT


def test_a_created_row_without_slot_has_none(control: Engine) -> None:
    add_source(control)
    add_row(control, load_cron="0 2 * * *")
    assert slot_after(control, "priority = 1") is None


@pytest.mark.parametrize(
    "assignment", ["load_cron = '0 3 * * *'", "load_cron = NULL", "load_timezone = 'Asia/Tokyo'"]
)
def test_a_new_schedule_takes_the_slot_away(control: Engine, row: int, assignment: str) -> None:
    assert slot_after(control, assignment) is None


def test_activation_takes_the_slot_away(control: Engine, row: int) -> None:
    assert slot_after(control, "is_active = false") == SLOT
    assert slot_after(control, "is_active = true") is None


@pytest.mark.parametrize(
    "assignment", ["load_cron = load_cron", "is_active = true", "load_strategy = 'incremental'"]
)
def test_what_changes_no_schedule_changes_no_slot(control: Engine, row: int, assignment: str) -> None:
    assert slot_after(control, assignment) == SLOT


@pytest.mark.parametrize("slot", [OTHER, SLOT, None])
def test_a_slot_of_the_statement_stands_even_if_it_is_the_old_one(
    control: Engine, row: int, slot: datetime | None
) -> None:
    assert slot_after(control, "load_cron = '0 3 * * *', next_load_date_time = :slot", slot=slot) == slot


def test_one_statement_over_several_rows_and_a_later_one(control: Engine, row: int) -> None:
    add_row(control, load_cron="0 5 * * *", next_load_date_time=OTHER)
    with transaction(control) as connection:
        connection.execute(
            text(
                "UPDATE control.table_control SET load_cron = '0 4 * * *',"
                " next_load_date_time = next_load_date_time"
            )
        )
        kept = connection.execute(
            text("SELECT next_load_date_time FROM control.table_control ORDER BY config_id")
        )
        assert list(kept.scalars()) == [SLOT, OTHER]
        connection.execute(text("UPDATE control.table_control SET load_cron = '0 6 * * *'"))
        lost = connection.execute(text("SELECT count(next_load_date_time) FROM control.table_control"))
        assert lost.scalar_one() == 0


def test_a_row_that_waits_for_its_cron_is_armed_by_an_editor_that_writes_all_back(control: Engine) -> None:
    add_source(control)
    add_row(control, load_cron="sometimes", next_load_date_time="infinity")
    mended = "load_cron = '0 3 * * *', next_load_date_time = next_load_date_time"
    assert slot_after(control, f"{mended}, owner = 'anna'") is None
    assert (
        slot_after(control, "load_cron = '0 4 * * *', next_load_date_time = '2031-01-01 02:00+00'") == OTHER
    )


def test_a_row_may_be_activated_and_go_on_waiting(control: Engine) -> None:
    add_source(control)
    add_row(control, load_cron="0 2 * * *", next_load_date_time="infinity", is_active=False)
    assert slot_after(control, "is_active = true, next_load_date_time = 'infinity'") == LATEST


@pytest.mark.parametrize("mended", ["load_cron = '0 3 * * *'", "load_timezone = 'Europe/Berlin'"])
def test_a_row_that_waits_for_its_cron_is_armed_where_it_is_mended_and_activated_at_once(
    control: Engine, mended: str
) -> None:
    add_source(control)
    add_row(control, load_cron="sometimes", next_load_date_time="infinity", is_active=False)
    saved = f"is_active = true, {mended}, next_load_date_time = next_load_date_time"
    assert slot_after(control, saved) is None
