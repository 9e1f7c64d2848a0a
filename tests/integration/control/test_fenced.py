"""The sentence that a fenced loader stops with."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.fenced import LoadState, fenced, read_load
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.status import LoadStatus
from tests.factories import add_source
from tests.integration.control.drive import due_row, start_now


def standing(**overrides: Any) -> LoadState:
    values = {
        "metadata_id": 12,
        "config_id": 7,
        "epoch": 3,
        "load_status": "In Progress",
        "start_nonce": "mine",
        "message": None,
        "receipt": None,
        "row_there": True,
        "row_epoch": 3,
        "row_status": "In Progress",
        "being_reaped": False,
        "settled_by": None,
    }
    return LoadState(**(values | overrides))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"load_status": "Failed", "message": "Oops."}, "is over: Failed. Oops."),
        ({"load_status": "Succeeded"}, "is over: Succeeded."),
        ({"row_there": False, "row_epoch": None}, "has lost its row, which was deleted."),
        ({"row_epoch": 4, "being_reaped": True}, "is being given up."),
        ({"row_epoch": 4}, "held epoch 3, and the row is at epoch 4 by now."),
        ({"load_status": "Queued", "row_status": "Queued"}, "was never started."),
        ({"row_status": None}, "is In Progress, and its row was set to NULL by hand."),
        ({}, "was started by another loader."),
    ],
)
def test_the_reason_in_a_sentence(overrides: dict[str, Any], sentence: str) -> None:
    assert str(fenced(12, 3, standing(**overrides))) == f"Load 12 of config_id 7 {sentence}"


def test_a_load_that_does_not_exist(control: Engine) -> None:
    with transaction(control) as connection:
        assert read_load(connection, 5) is None
    assert str(fenced(5, 1, None)) == "There is no load 5 in this control database."


def test_a_newer_try_of_its_task_is_named() -> None:
    queued = standing(load_status="Queued", row_status="Queued", airflow_task="renamed/4")
    overtaken = fenced(12, 3, queued, airflow_task="task/3")
    assert str(overtaken).endswith(" is answered for by try 4 of its task, which is newer than this one.")
    assert str(fenced(12, 3, queued, airflow_task="task/4")).endswith(" was never started.")


@pytest.mark.parametrize(
    ("overrides", "nonce", "status", "own"),
    [
        ({"load_status": "Succeeded"}, "mine", LoadStatus.SUCCEEDED, True),
        ({"load_status": "Succeeded"}, "other", LoadStatus.SUCCEEDED, False),
        ({"load_status": "Succeeded"}, "mine", LoadStatus.FAILED, False),
        ({"load_status": "Failed", "settled_by": "loader"}, "mine", LoadStatus.FAILED, True),
        ({"load_status": "Failed", "settled_by": "reap"}, "mine", LoadStatus.FAILED, False),
        ({"load_status": "Cancelled", "settled_by": "loader"}, "mine", LoadStatus.FAILED, False),
    ],
)
def test_whose_word_it_was(overrides: dict[str, Any], nonce: str, status: LoadStatus, own: bool) -> None:
    assert standing(**overrides).is_own(nonce, status) is own


def test_looks_at_load_and_row(control: Engine) -> None:
    add_source(control, "shop")
    config_id = due_row(control)
    started = start_now(control, config_id)
    cancel(control, started.metadata_id, "enough", settled_by=SettledBy.TRIGGER)
    with transaction(control) as connection:
        seen = read_load(connection, started.metadata_id)
    assert seen == standing(
        metadata_id=started.metadata_id,
        config_id=config_id,
        epoch=1,
        load_status="Cancelled",
        start_nonce="nonce",
        message="enough",
        row_epoch=1,
        row_status="Failed",
        settled_by="trigger",
    )
