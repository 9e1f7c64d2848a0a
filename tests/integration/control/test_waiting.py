"""Why rows that are due are not claimed."""

from __future__ import annotations

from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.waiting import Waiting, WaitReason, waiting
from tests.factories import add_row, add_source
from tests.integration.control.drive import claim_now, due_row


def test_rows_that_are_due_by_what_they_wait_for(control: Engine) -> None:
    add_source(control, "asleep", paused_until="infinity")
    add_source(control, "dozing", paused_until="2999-01-01")
    add_source(control, "awake", paused_until="2020-01-01")
    add_source(control, "shop", max_concurrent_loads=1)
    for source in ("asleep", "asleep", "dozing", "shop"):
        due_row(control, db_config_key=source)
    due_row(control, db_config_key="shop", is_active=False)
    claim_now(control, add_row(control, db_config_key="shop"))
    claim_now(control, add_row(control, db_config_key="awake"))
    held = due_row(control, db_config_key="awake")
    with control.begin() as connection:
        connection.exec_driver_sql(f"SELECT FROM control.table_control WHERE config_id = {held} FOR UPDATE")
        assert claim(control, airflow_run="run") == []
        assert waiting(control, max_concurrent=3) == [
            Waiting(reason=WaitReason.PAUSED, rows=3, sources=("asleep", "dozing")),
            Waiting(reason=WaitReason.AT_LIMIT, rows=1, sources=("shop",)),
            Waiting(reason=WaitReason.HELD, rows=1, sources=("awake",)),
        ]
        assert waiting(control, max_concurrent=2) == [
            Waiting(reason=WaitReason.FULL, rows=5, sources=("asleep", "awake", "dozing", "shop"))
        ]


def test_what_can_be_claimed_no_longer_waits(control: Engine) -> None:
    add_source(control)
    due_row(control, load_cron="0 0 1 1 *")
    add_row(control, next_load_date_time="2999-01-01")
    assert len(claim(control, airflow_run="run")) == 1
    assert waiting(control, max_concurrent=32) == []


def test_a_row_without_a_source_waits_for_none(control: Engine) -> None:
    due_row(control, db_config_key=None)
    assert waiting(control, max_concurrent=0) == [Waiting(reason=WaitReason.FULL, rows=1, sources=())]
