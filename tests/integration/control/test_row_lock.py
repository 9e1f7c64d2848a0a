"""The lock that a running load's statements take first."""

from __future__ import annotations

from sqlalchemy import Engine, text

from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.row_lock import with_row_lock
from tests.factories import add_source
from tests.integration.control.drive import due_row, start_now

HELD = with_row_lock(" SELECT config_id FROM held")
FREE = text("SELECT config_id FROM control.table_control FOR UPDATE SKIP LOCKED")


def test_the_row_is_locked_for_the_load_that_has_it_and_for_no_other(control: Engine) -> None:
    add_source(control, "shop")
    config_id, other = due_row(control), due_row(control)
    started = start_now(control, config_id)
    own = {"config_id": config_id, "epoch": started.epoch}
    with control.begin() as connection:
        assert connection.execute(HELD, own).scalars().all() == [config_id]
        with control.begin() as neighbour:
            assert neighbour.execute(FREE).scalars().all() == [other]
        assert connection.execute(HELD, own | {"epoch": started.epoch - 1}).all() == []
        assert connection.execute(HELD, {"config_id": other, "epoch": 0}).all() == []
    cancel(control, started.metadata_id, "over")
    with control.begin() as connection:
        assert connection.execute(HELD, own).all() == []


def test_further_expressions_follow_a_comma(control: Engine) -> None:
    add_source(control, "shop")
    config_id = due_row(control)
    started = start_now(control, config_id)
    statement = with_row_lock(", one AS (SELECT load_epoch FROM held) SELECT load_epoch FROM one")
    with control.begin() as connection:
        own = {"config_id": config_id, "epoch": started.epoch}
        assert connection.execute(statement, own).scalar_one() == started.epoch
