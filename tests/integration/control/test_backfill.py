"""The frozen plan: one open plan a row, touched only by the load that holds the row."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from airflow_dataloader.control import backfill, settle
from airflow_dataloader.control.backfill import Chunk
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.tables import backfill as table
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.exceptions import Fenced
from tests.factories import add_source
from tests.integration.control.drive import ago, due_row, start_now

CHUNKS = (Chunk(number=1, high="5"), Chunk(number=2, low="5"), Chunk(number=3, null_cursor=True))


@pytest.fixture
def started(control: Engine) -> Started:
    add_source(control, "shop")
    config_id = due_row(
        control, load_strategy="chunked_backfill", incremental_column="at", primary_key_cols="id"
    )
    return start_now(control, config_id)


def begin(control: Engine, started: Started) -> backfill.Backfill:
    return backfill.begin(control, started, mode="direct", low="1", high="9", watermark="8", chunks=CHUNKS)


def statuses(control: Engine) -> list[str]:
    with control.begin() as connection:
        return list(connection.execute(select(table.c.status).order_by(table.c.id)).scalars())


def test_a_plan_is_read_back_as_it_was_frozen(control: Engine, started: Started) -> None:
    assert backfill.current(control, started.config_id) is None
    plan = begin(control, started)
    assert plan == backfill.current(control, started.config_id)
    assert (plan.mode, plan.high, plan.watermark, plan.chunks) == ("direct", "9", "8", CHUNKS)
    assert (plan.started_by, plan.epoch) == (started.metadata_id, started.epoch)
    assert plan.content_hash == started.config.content_hash


def test_a_plan_s_time_is_the_same_whoever_reads_it(control: Engine, started: Started) -> None:
    plan = begin(control, started)
    with control.begin() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {control.url.database} SET timezone TO 'Asia/Kolkata'")
    control.dispose()
    again = backfill.current(control, started.config_id)
    assert again is not None
    assert again.created_at.isoformat() == plan.created_at.isoformat()


def test_a_new_plan_takes_the_open_one_s_place(control: Engine, started: Started) -> None:
    first, second = begin(control, started), begin(control, started)
    assert first.id != second.id
    assert statuses(control) == ["abandoned", "open"]


def test_a_chunk_is_put_on_record_once_or_twice(control: Engine, started: Started) -> None:
    begin(control, started)
    for rows_read in (7, None):
        backfill.record(control, started, 2, rows_read=rows_read, rows_published=6, target_version=3)
    plan = backfill.current(control, started.config_id)
    assert plan is not None
    assert [(c.number, c.rows_read, c.rows_published, c.target_version) for c in plan.chunks] == [
        (1, None, None, None), (2, 7, 6, 3), (3, None, None, None)]  # fmt: skip


def test_a_plan_s_watermark_may_be_lowered_once_or_twice(control: Engine, started: Started) -> None:
    begin(control, started)
    for _ in range(2):
        backfill.lower_watermark(control, started, "6")
    plan = backfill.current(control, started.config_id)
    assert plan is not None
    assert (plan.high, plan.watermark) == ("9", "6")


def test_a_load_that_lost_its_row_touches_no_plan(control: Engine, started: Started) -> None:
    begin(control, started)
    cancel(control, started.metadata_id, "enough")
    with pytest.raises(Fenced):
        backfill.record(control, started, 1, rows_read=1, rows_published=1, target_version=1)
    with pytest.raises(Fenced):
        backfill.lower_watermark(control, started, "6")
    with pytest.raises(Fenced):
        begin(control, started)
    assert statuses(control) == ["open"]


def test_the_plan_is_over_with_the_settlement_that_it_leads_to(control: Engine, started: Started) -> None:
    begin(control, started)
    for _ in range(2):
        settle.succeed(control, started, receipt=Receipt(), watermark="8", strategy_after="incremental")
    assert statuses(control) == ["done"]


def test_a_success_of_another_strategy_abandons_the_plan(control: Engine) -> None:
    add_source(control, "shop")
    full = start_now(control, due_row(control, load_strategy="full"))
    begin(control, full)
    settle.succeed(control, full, receipt=Receipt(), watermark=None)
    assert statuses(control) == ["abandoned"]


def test_a_plan_names_the_epoch_that_a_reaped_loader_wrote_with(control: Engine, started: Started) -> None:
    begin(control, started)
    ago(control, started.metadata_id, lease_until=301)
    assert len(reap(control, run_api=None, limits=ReapLimits(startup=0)).ended) == 1
    plan = backfill.current(control, started.config_id)
    assert plan is not None
    assert (plan.started_by, plan.epoch) == (started.metadata_id, started.epoch)
