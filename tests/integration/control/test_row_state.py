"""Rows as a claim would freeze them, without a claim."""

from __future__ import annotations

from sqlalchemy import Engine, text

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.row_state import row_states
from tests.factories import add_row, add_source


def test_a_row_stands_as_a_claim_freezes_it(control: Engine) -> None:
    add_source(control, "shop", default_target_schema="landing")
    config_id = add_row(control, destination_table_schema=None, incremental_value="7")
    (before,) = row_states(control, [config_id])
    assert (before.epoch, before.last_status, before.live, before.backfilling) == (0, None, False, False)
    assert before.snapshot["target_schema"] == "landing"
    (claimed,) = claim(control, airflow_run="run", only=[config_id])
    assert before.snapshot == claimed.config
    assert before.label == claimed.label
    (after,) = row_states(control, [config_id])
    assert (after.epoch, after.live) == (claimed.epoch, True)


def test_rows_come_in_the_order_that_was_asked_for(control: Engine) -> None:
    add_source(control)
    one, other = add_row(control), add_row(control, is_active=False)
    assert [row.config_id for row in row_states(control, [other, 999, one])] == [other, one]


def test_a_backfill_that_has_not_ended_is_seen(control: Engine) -> None:
    add_source(control)
    config_id = add_row(control)
    with control.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO control.backfill (config_id, mode, content_hash, started_by) "
                "VALUES (:id, 'direct', 'hash', 1)"
            ),
            {"id": config_id},
        )
    assert [row.backfilling for row in row_states(control, [config_id])] == [True]
