"""Which rows want their targets maintained, and which of them a load holds."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.maintained import live_load, maintained_rows
from airflow_dataloader.core.maintenance import MaintenancePolicy
from tests.factories import add_row, add_source


def test_active_rows_with_a_policy_and_their_resolved_targets(control: Engine) -> None:
    add_source(control, "shop", default_target_schema="landing")
    both = add_row(control, destination_table_schema=None, optimize_every_hours=24, vacuum_every_hours=168)
    one = add_row(control, vacuum_every_hours=1)
    add_row(control)
    add_row(control, is_active=False, optimize_every_hours=24)
    add_row(control, destination_table_name=" ", optimize_every_hours=24)
    found = maintained_rows(control)
    assert [row.config_id for row in found] == [both, one]
    assert found[0].target.schema == "landing"
    assert f"config_id {both} (" in found[0].label
    day = timedelta(days=1)
    assert found[0].policy == MaintenancePolicy(optimize_every=day, vacuum_every=7 * day)
    assert found[1].policy == MaintenancePolicy(optimize_every=None, vacuum_every=timedelta(hours=1))
    assert [row.config_id for row in maintained_rows(control, [one, 999])] == [one]
    assert maintained_rows(control, []) == []


def test_a_load_that_is_queued_holds_its_target(control: Engine) -> None:
    add_source(control)
    for _ in range(2):
        add_row(control, optimize_every_hours=24)
    mine, other = maintained_rows(control)
    assert live_load(control, mine) is None
    (claimed,) = claim(control, airflow_run="run", only=[mine.config_id])
    assert live_load(control, mine) == claimed.metadata_id
    assert live_load(control, other) is None
