"""What people may do to a row past its loader."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import lease
from airflow_dataloader.control.intervene import advance_epoch, cancel, update_control_status
from airflow_dataloader.core.commit import HIGHEST_GIVEN_EPOCH
from airflow_dataloader.core.status import RowStatus
from airflow_dataloader.exceptions import ConfigurationError, Fenced
from tests.factories import add_row, add_source
from tests.integration.control.drive import WAITING, claim_now, load, repair, row, sql, start_now
from tests.waiting import until


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return add_row(control)


@pytest.mark.parametrize("running", [False, True])
def test_a_cancelled_load_is_over_and_its_row_failed(control: Engine, config_id: int, running: bool) -> None:
    claimed = claim_now(control, config_id)
    if running:
        lease.start(control, claimed.metadata_id, 1, nonce="n")
    assert cancel(control, claimed.metadata_id, "not now")
    record = load(control, claimed.metadata_id)
    assert (record["load_status"], record["failure"]["settled_by"]) == ("Cancelled", "cancel")
    assert (row(control, config_id)["last_status"], row(control, config_id)["last_status_message"]) == (
        "Failed",
        "not now",
    )
    assert not cancel(control, claimed.metadata_id, "again")
    assert not cancel(control, 999, "nothing there")
    with pytest.raises(Fenced):
        lease.heartbeat(control, claimed.metadata_id, 1, "n", progressed=True)


def test_a_try_that_takes_a_load_over_just_now_keeps_it(control: Engine, config_id: int) -> None:
    """A person marks a task and clears it at once: the kill of the old try meets the new one's attaching."""
    claimed = claim_now(control, config_id, airflow_task="ti/1")
    with ThreadPoolExecutor(1) as pool, control.begin() as taking:
        taking.execute(
            text("SELECT FROM control.table_control WHERE config_id = :id FOR UPDATE"), {"id": config_id}
        )
        kill = pool.submit(cancel, control, claimed.metadata_id, "killed", airflow_task="ti/1")
        until(lambda: sql(control, WAITING))
        taking.execute(
            text("UPDATE control.historical_metadata SET airflow_task = 'ti/2' WHERE id = :id"),
            {"id": claimed.metadata_id},
        )
        taking.commit()
        assert not kill.result()
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"
    assert cancel(control, claimed.metadata_id, "killed", airflow_task="ti/2")


def test_a_status_may_be_set_to_failed_or_null(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    update_control_status(control, config_id, RowStatus.FAILED, "stopped", changed_by="anna")
    assert load(control, started.metadata_id)["load_status"] == "Cancelled"
    assert row(control, config_id)["last_status_message"] == "stopped"
    update_control_status(control, config_id, RowStatus.FAILED, "known fault")
    assert row(control, config_id)["last_status_message"] == "known fault"
    update_control_status(control, config_id, None, "ready")
    assert (row(control, config_id)["last_status"], row(control, config_id)["last_status_message"]) == (
        None,
        "ready",
    )
    assert (
        "anna",
        "status_reset",
    ) in sql(control, "SELECT changed_by, change_source FROM control.table_control_history")


def test_a_live_row_is_set_free_by_ending_its_load(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    update_control_status(control, config_id, None, "start over")
    assert row(control, config_id)["last_status"] is None
    assert load(control, started.metadata_id)["load_status"] == "Cancelled"


@pytest.mark.parametrize("status", [RowStatus.QUEUED, RowStatus.IN_PROGRESS, RowStatus.SUCCEEDED])
def test_what_claims_and_loaders_write_nobody_else_does(
    control: Engine, config_id: int, status: RowStatus
) -> None:
    with pytest.raises(ConfigurationError, match="alone") as refused:
        update_control_status(control, config_id, status, "please")
    assert refused.value.field == "last_status"


def test_a_row_that_may_not_move_there_is_named(control: Engine, config_id: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"config_id {config_id} has no status, and cannot go to Failed from there"
    ):
        update_control_status(control, config_id, RowStatus.FAILED, "never ran")
    with pytest.raises(ConfigurationError, match="There is no config_id 999"):
        update_control_status(control, 999, None, "not there")


def test_an_epoch_is_only_ever_lifted(control: Engine, config_id: int) -> None:
    assert advance_epoch(control, config_id, 41) == 41
    assert advance_epoch(control, config_id, 7) == 41
    assert claim_now(control, config_id).epoch == 42


@pytest.mark.parametrize("epoch", [-1, HIGHEST_GIVEN_EPOCH + 1, 2**70])
def test_an_epoch_that_leaves_no_room_is_refused(control: Engine, config_id: int, epoch: int) -> None:
    with pytest.raises(ConfigurationError, match=f"Epoch {epoch} for config_id {config_id} is not between"):
        advance_epoch(control, config_id, epoch)
    assert advance_epoch(control, config_id, HIGHEST_GIVEN_EPOCH) == HIGHEST_GIVEN_EPOCH
    assert claim_now(control, config_id).epoch == HIGHEST_GIVEN_EPOCH + 1


def test_the_epoch_of_a_live_row_stays(control: Engine, config_id: int) -> None:
    claim_now(control, config_id)
    with pytest.raises(
        ConfigurationError,
        match=f"config_id {config_id} is Queued, and keeps its epoch while it is being loaded",
    ):
        advance_epoch(control, config_id, 41)
    with pytest.raises(ConfigurationError, match="There is no config_id 999"):
        advance_epoch(control, 999, 41)
    assert row(control, config_id)["load_epoch"] == 1


@pytest.mark.parametrize("status", [RowStatus.QUEUED, RowStatus.IN_PROGRESS])
def test_a_row_that_was_set_live_by_hand_may_be_failed(
    control: Engine, config_id: int, status: RowStatus
) -> None:
    repair(control, config_id, last_status=status)
    update_control_status(control, config_id, RowStatus.FAILED, "set by mistake")
    assert row(control, config_id)["last_status"] == "Failed"
