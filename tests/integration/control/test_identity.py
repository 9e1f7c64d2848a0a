"""A row keeps its config_id, and its epoch never goes back: no edit of one row stops the claims of others."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.core.commit import HIGHEST_GIVEN_EPOCH
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now, due_row, edited, loads_of, new_run, row, sql


@pytest.fixture(autouse=True)
def shop(control: Engine) -> str:
    return add_source(control)


@pytest.fixture
def loaded(control: Engine) -> int:
    """A row with two loads on record."""
    config_id = due_row(control)
    for _ in range(2):
        cancel(control, claim_now(control, config_id).metadata_id, "enough")
    return config_id


def test_a_deleted_row_that_is_put_back_goes_on_after_its_loads(control: Engine, loaded: int) -> None:
    sql(control, "DELETE FROM control.table_control")
    due_row(control, config_id=loaded)
    other = due_row(control)
    assert {load.config_id for load in claim(control, airflow_run="run")} == {loaded, other}
    assert [load["epoch"] for load in loads_of(control, loaded)] == [1, 2, 3]


def test_an_epoch_that_is_given_with_the_row_stays_where_it_is_higher(control: Engine, loaded: int) -> None:
    sql(control, "DELETE FROM control.table_control")
    add_row(control, config_id=loaded, load_epoch=7)
    assert claim_now(control, loaded).epoch == 8


@pytest.mark.parametrize("epoch", [0, 1])
def test_an_epoch_does_not_go_back(control: Engine, loaded: int, epoch: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"config_id {loaded}: load_epoch cannot go back from 2 to {epoch}"
    ) as refused:
        edited(control, loaded, load_epoch=epoch)
    assert (refused.value.field, refused.value.fix is None) == ("load_epoch", False)
    assert claim_now(control, loaded).epoch == 3


def test_an_epoch_that_would_leave_no_room_is_refused(control: Engine, loaded: int) -> None:
    beyond = HIGHEST_GIVEN_EPOCH + 1
    with pytest.raises(ConfigurationError, match=f"config_id {loaded}: load_epoch {beyond} is beyond"):
        edited(control, loaded, load_epoch=beyond)
    with pytest.raises(Exception, match=f"load_epoch {beyond} is beyond"):
        add_row(control, load_epoch=beyond)
    edited(control, loaded, load_epoch=HIGHEST_GIVEN_EPOCH)
    assert claim_now(control, loaded).epoch == beyond


def test_a_row_keeps_its_id(control: Engine, loaded: int) -> None:
    sql(control, "DELETE FROM control.table_control")
    other = due_row(control)
    with pytest.raises(ConfigurationError, match=f"config_id {other} cannot become {loaded}") as refused:
        edited(control, other, config_id=loaded)
    assert refused.value.field == "config_id"
    assert [load.config_id for load in claim(control, airflow_run=new_run())] == [other]
    assert row(control, other)["load_epoch"] == 1


def test_a_row_without_loads_starts_with_the_first(control: Engine) -> None:
    config_id = add_row(control)
    assert row(control, config_id)["load_epoch"] == 0
    assert claim_now(control, config_id).epoch == 1
