"""What hand-made changes leave behind."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.strays import Stray, end_strays, lost_loads, stuck_rows
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.reaping import ReapLimits
from tests.integration.control.drive import claim_now, due_row, load, repair, row, sql, start_now


def end_all(control: Engine, *, expiry: float = 3600) -> list[tuple[int | None, int | None]]:
    """End all strays that there are; return their loads and rows."""
    found: list[Stray] = []
    for find in (lost_loads, partial(stuck_rows, expiry=expiry)):
        with transaction(control, readonly=True) as connection:
            found += find(connection)
    with transaction(control) as connection:
        assert end_strays(connection, found, expiry=expiry) == dict.fromkeys(found, True)
    return [(stray.metadata_id, stray.config_id) for stray in found]


@pytest.mark.parametrize("loss", ["deleted", "set free", "claimed over"])
def test_a_load_whose_row_is_gone_is_failed(control: Engine, config_id: int, loss: str) -> None:
    started = start_now(control, config_id)
    if loss == "deleted":
        sql(control, "DELETE FROM control.table_control")
    else:
        repair(control, config_id, last_status=None)
    later = claim_now(control, config_id) if loss == "claimed over" else None
    assert end_all(control) == [(started.metadata_id, config_id)]
    record = load(control, started.metadata_id)
    assert (record["load_status"], record["failure"]["error"]) == ("Failed", "RowLost")
    if later:
        assert load(control, later.metadata_id)["load_status"] == "Queued"


def test_loads_that_have_their_rows_stay(control: Engine, config_id: int) -> None:
    start_now(control, config_id), claim_now(control, due_row(control))
    assert end_all(control, expiry=-1e9) == []


def test_records_of_an_older_system_stay(control: Engine) -> None:
    sql(
        control,
        "INSERT INTO control.historical_metadata (control_key, load_status) VALUES ('\\x00', 'In Progress')",
    )
    assert end_all(control) == []


def test_a_live_row_without_load_is_failed_after_its_time(control: Engine, config_id: int) -> None:
    repair(control, config_id, last_status="In Progress")
    assert end_all(control) == []
    sql(
        control,
        "UPDATE control.table_control SET last_status_date_time = clock_timestamp() - interval '241 minutes'",
    )
    assert end_all(control) == [(None, config_id)]
    assert row(control, config_id)["last_status"] == "Failed"


def test_what_is_no_stray_any_more_stays(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    found = [
        Stray(metadata_id=started.metadata_id, config_id=config_id),
        Stray(metadata_id=None, config_id=config_id),
    ]
    with transaction(control) as connection:
        assert end_strays(connection, found, expiry=-1e9) == {}
    assert load(control, started.metadata_id)["load_status"] == "In Progress"


def test_reap_ends_both_kinds(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    repair(control, config_id, last_status="Queued", last_status_date_time="2020-01-01")
    reaped = reap(control, run_api=None, limits=ReapLimits(startup=0))
    assert {(end.metadata_id, end.config_id) for end in reaped.ended} == {
        (started.metadata_id, config_id),
        (None, config_id),
    }


def test_what_somebody_holds_is_left_and_said(control: Engine, config_id: int) -> None:
    lost, stuck = start_now(control, config_id), [due_row(control) for _ in range(2)]
    also = start_now(control, due_row(control))
    repair(control, config_id, last_status=None)
    repair(control, also.config_id, last_status=None)
    for one in stuck:
        repair(control, one, last_status="Queued", last_status_date_time="2020-01-01")
    with control.connect() as session:
        session.execute(
            text("SELECT FROM control.historical_metadata WHERE id = :id FOR UPDATE"),
            {"id": lost.metadata_id},
        )
        session.execute(
            text("SELECT FROM control.table_control WHERE config_id = :id FOR UPDATE"), {"id": stuck[0]}
        )
        reaped = reap(control, run_api=None, limits=ReapLimits(startup=0))
        session.rollback()
    assert {(end.metadata_id, end.config_id) for end in reaped.ended} == {
        (also.metadata_id, also.config_id),
        (None, stuck[1]),
    }
    assert {(left.metadata_id, left.config_id) for left in reaped.left} == {
        (lost.metadata_id, config_id),
        (None, stuck[0]),
    }
    assert {left.why for left in reaped.left} == {"somebody holds a lock on it"}
    assert len(reap(control, run_api=None, limits=ReapLimits(startup=0)).ended) == 2


def test_one_that_the_database_refuses_to_end_keeps_no_other(control: Engine, config_id: int) -> None:
    refused, other = (start_now(control, one) for one in (config_id, due_row(control)))
    stuck = [due_row(control) for _ in range(2)]
    for one in (refused, other):
        repair(control, one.config_id, last_status=None)
    for row_id in stuck:
        repair(control, row_id, last_status="Queued", last_status_date_time="2020-01-01")
    sql(
        control,
        "ALTER TABLE control.historical_metadata ADD CONSTRAINT somebody_s_own CHECK "
        f"(id <> {refused.metadata_id} OR load_status <> 'Failed')",
    )
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK "
        f"(config_id <> {stuck[0]} OR last_status <> 'Failed') NOT VALID",
    )
    reaping = reap(control, run_api=None, limits=ReapLimits(startup=0))
    assert [(end.metadata_id, end.config_id) for end in reaping.ended] == [
        (other.metadata_id, other.config_id),
        (None, stuck[1]),
    ]
    assert [(left.metadata_id, left.config_id) for left in reaping.left] == [
        (refused.metadata_id, config_id),
        (None, stuck[0]),
    ]
    assert all("somebody_s_own" in left.why for left in reaping.left)
