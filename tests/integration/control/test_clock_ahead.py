"""A control database whose clock was ahead for a while: what was claimed then comes to its end."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import lease
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.run_api import Run, RunState
from tests.factories import add_row
from tests.integration.control.drive import ago, claim_now, due_row, edit, load, row, sql, start_now
from tests.integration.control.jobs import Jobs

LIMITS = ReapLimits(startup=0)
YEAR = 31_536_000.0
TIMES = ("load_queued_time", "load_start_time", "progress_at", "lease_until")


def was_ahead(control: Engine, metadata_id: int) -> None:
    """Leave a load as if the clock had been ahead by a year until now."""
    later = ", ".join(f"{name} = {name} + make_interval(secs => :year)" for name in TIMES)
    statement = f"UPDATE control.historical_metadata SET {later} WHERE id = :id"
    sql(control, statement, id=metadata_id, year=YEAR)


def ended(control: Engine) -> list[Any]:
    reaping = reap(control, run_api=None, limits=LIMITS)
    assert reaping.left == ()
    return [one.metadata_id for one in reaping.ended]


@pytest.mark.parametrize(("started", "out"), [(False, 1), (True, 301)])
def test_a_dead_load_is_given_up(control: Engine, config_id: int, started: bool, out: float) -> None:
    one = start_now(control, config_id) if started else claim_now(control, config_id)
    was_ahead(control, one.metadata_id)
    assert ended(control) == []
    assert sql(
        control,
        "SELECT lease_until - clock_timestamp() BETWEEN '9 min' AND '10 min' "
        "FROM control.historical_metadata",
    ) == [(True,)]
    assert ended(control) == []
    ago(control, one.metadata_id, lease_until=out)
    assert ended(control) == [one.metadata_id]
    assert row(control, config_id)["last_status"] == "Failed"


def test_a_living_loader_keeps_its_load(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    was_ahead(control, started.metadata_id)
    for progressed in (False, True, True):
        assert ended(control) == []
        lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=progressed)
    before = load(control, started.metadata_id)["lease_until"]
    assert ended(control) == []
    assert load(control, started.metadata_id)["lease_until"] == before, "a lease of the clock as it is stays"


def test_a_loader_that_renews_meanwhile_keeps_its_own_lease(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    was_ahead(control, started.metadata_id)
    other = claim_now(control, due_row(control))
    update_run_tracking(control, other.metadata_id, other.epoch, databricks_run="7")

    class Renewing(Jobs):
        """Is asked between a reap's look and its writes."""

        def state(self, workspace_host: str | None, run_id: str) -> Run:
            lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=False)
            return super().state(workspace_host, run_id)

    api = Renewing(**{"7": RunState.PENDING})
    assert reap(control, run_api=api, limits=LIMITS).ended == ()
    assert api.asked == ["7"]
    leases = "SELECT id, lease_until - clock_timestamp() < '61 seconds' FROM control.historical_metadata"
    assert dict(sql(control, leases)) == {started.metadata_id: True, other.metadata_id: False}


def test_slots_that_the_clock_left_far_ahead_are_given_anew(control: Engine, config_id: int) -> None:
    """What docs/faults.md says to do."""
    far = add_row(control, load_cron="*/5 * * * *", next_load_date_time="2999-01-01")
    waits = add_row(control, load_cron="nonsense", next_load_date_time="infinity")
    by_hand = add_row(control, next_load_date_time="2999-01-01")
    edit(control, config_id, load_cron="*/5 * * * *")
    sql(
        control,
        "UPDATE control.table_control SET next_load_date_time = NULL, next_delete_scan = NULL "
        "WHERE is_active AND load_cron IS NOT NULL AND next_load_date_time > now() "
        "AND next_load_date_time < 'infinity'",
    )
    claim(control, airflow_run="run")
    soon = "next_load_date_time BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes'"
    found = sql(control, f"SELECT config_id FROM control.table_control WHERE {soon} ORDER BY config_id")
    assert [one for (one,) in found] == sorted([config_id, far])
    assert row(control, by_hand)["next_load_date_time"].year == 2999
    assert sql(
        control,
        f"SELECT next_load_date_time = 'infinity' FROM control.table_control WHERE config_id = {waits}",
    ) == [(True,)]
