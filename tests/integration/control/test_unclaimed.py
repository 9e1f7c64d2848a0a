"""Why a row that somebody asked for was not claimed."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.unclaimed import Unclaimed, why_unclaimed
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now, due_row, edit, sql


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return due_row(control)


def why(control: Engine, config_id: int, *, max_concurrent: int = 32) -> Unclaimed:
    return why_unclaimed(control, config_id, max_concurrent=max_concurrent)


def test_a_row_that_may_not_be_loaded(control: Engine, config_id: int) -> None:
    edit(control, config_id, is_active=False)
    found = why(control, config_id)
    assert (found.why, found.fix) == (f"config_id {config_id} is not active.", "set is_active")
    sql(control, "DELETE FROM control.table_control")
    assert why(control, config_id) == Unclaimed(why=f"config_id {config_id} was deleted.")


def test_a_row_whose_load_lives(control: Engine, config_id: int) -> None:
    metadata_id = claim_now(control, config_id).metadata_id
    found = why(control, config_id)
    assert f"is Queued and held by load {metadata_id} of Airflow run" in found.why
    assert found.fix == "wait for its end"
    cancel(control, metadata_id, "by a person")
    assert "held by load" not in why(control, config_id).why


def test_limits_and_pauses(control: Engine, config_id: int) -> None:
    full = why(control, config_id, max_concurrent=0)
    assert "the 0 loads that may live" in full.why
    assert full.again == "after one's end"
    sql(control, "UPDATE control.table_control_dbconfig SET paused_until = now() + interval '1 hour'")
    paused = why(control, config_id)
    assert "source shop is paused" in paused.why
    assert paused.again == "when it is not paused any more"
    sql(control, "UPDATE control.table_control_dbconfig SET paused_until = NULL, max_concurrent_loads = 1")
    claim_now(control, add_row(control))
    assert "as many loads of source shop live as its max_concurrent_loads" in why(control, config_id).why
    sql(control, "UPDATE control.table_control_dbconfig SET max_concurrent_loads = 9")
    held = why(control, config_id)
    assert "another session held the row, or another load its target" in held.why
    assert (held.again, held.fix) == ("again", None)
