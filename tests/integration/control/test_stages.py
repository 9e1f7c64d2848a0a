"""A stage is needed until its load is over, and for as long as somebody may still write for it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert, text, update

from airflow_dataloader.control.stages import StageOwner, are_over, one_target_a_schema
from airflow_dataloader.control.tables import backfill, historical_metadata
from airflow_dataloader.core.commit import loader_mark
from airflow_dataloader.core.names import TargetName
from tests.factories import add_row, add_source

BY_LOADER = {"settled_by": "loader"}
BY_REAP = {"settled_by": "reap"}
UNKNOWN = {"settled_by": "loader", "outcome_unknown": True}


class Records:
    """Loads as the history has them."""

    def __init__(self, control: Engine) -> None:
        self.control = control
        add_source(control)
        self.row = add_row(control)
        with control.begin() as connection:
            found = connection.execute(text("SELECT left(id, 8) FROM control.installation"))
            self.installation = str(found.scalar_one())

    def load(self, status: str = "Failed", *, hours: float = 1, **columns: Any) -> int:
        """Record a load that began and ended some hours ago."""
        values = {
            "control_key": b"x",
            "config_id": self.row,
            "load_status": status,
            "start_nonce": "n",
            "target_catalog": "bronze",
            "target_schema": "shop",
            "target_table": "items",
            "config_snapshot": {"max_runtime_minutes": 180},
        }
        statement = insert(historical_metadata).values(values | columns).returning(historical_metadata.c.id)
        with self.control.begin() as connection:
            number = int(connection.execute(statement).scalar_one())
            connection.execute(
                text(
                    "UPDATE control.historical_metadata h SET load_queued_time = long_ago, load_end_time = "
                    "CASE WHEN load_status NOT IN ('Queued', 'In Progress') THEN long_ago END "
                    "FROM (SELECT now() - make_interval(secs => :s) AS long_ago) AS times WHERE h.id = :id"
                ),
                {"s": hours * 3600, "id": number},
            )
        return number

    def plan(self, status: str) -> int:
        """Record a backfill's plan."""
        values = {"config_id": self.row, "status": status, "mode": "staged", "content_hash": "x"}
        statement = insert(backfill).values(values | {"started_by": 1}).returning(backfill.c.id)
        with self.control.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def over(
        self, number: int, *, plan: bool = False, installation: str = "", loader: str | None = None
    ) -> bool:
        """Ask after one stage."""
        owner = StageOwner(
            installation=installation or self.installation, backfill=plan, id=number, loader=loader
        )
        return are_over(self.control, [owner]) == [True]


@pytest.fixture
def records(control: Engine) -> Records:
    return Records(control)


@pytest.mark.parametrize("status", ["Queued", "In Progress"])
def test_a_load_that_lives_needs_its_stage_whatever_else_has_happened(records: Records, status: str) -> None:
    number = records.load(status, hours=1000)
    records.load("Succeeded", target_version=7)
    assert not records.over(number)


@pytest.mark.parametrize(
    ("status", "failure", "over"),
    [
        ("Succeeded", None, True),
        ("Failed", BY_LOADER, True),
        ("Cancelled", BY_LOADER, True),
        ("Failed", UNKNOWN, False),
        ("Failed", BY_REAP, False),
        ("Cancelled", {"settled_by": "cancel"}, False),
        ("Failed", {"settled_by": "trigger"}, False),
    ],
)
def test_only_its_own_loader_knows_that_nothing_is_written_any_more(
    records: Records, status: str, failure: dict[str, Any] | None, over: bool
) -> None:
    assert records.over(records.load(status, failure=failure)) is over


@pytest.mark.parametrize(
    ("later", "over"),
    [
        ({"target_version": 7}, True),
        ({"receipt": {"fence_version": 7}, "status": "Failed", "failure": BY_REAP}, True),
        ({"receipt": {"rows_read": 7}, "status": "Failed", "failure": BY_LOADER}, False),
        ({"target_version": 7, "target_table": "other"}, False),
        ({"target_version": 7, "target_table": "ITEMS"}, True),
    ],
)
def test_a_load_that_was_given_up_is_over_when_a_later_one_has_fenced_its_target(
    records: Records, later: dict[str, Any], over: bool
) -> None:
    records.load("Succeeded", target_version=6)
    number = records.load(failure=BY_REAP)
    records.load(**({"status": "Succeeded"} | later))
    assert records.over(number) is over


@pytest.mark.parametrize(
    ("hours", "minutes", "over"), [(23, 180, False), (25, 180, True), (25, 6000, False), (101, 6000, True)]
)
def test_or_when_no_write_of_it_can_still_run(
    records: Records, hours: float, minutes: int, over: bool
) -> None:
    number = records.load(failure=BY_REAP, hours=hours, config_snapshot={"max_runtime_minutes": minutes})
    assert records.over(number) is over


def test_a_pruned_load_is_over_and_one_that_nobody_gave_out_yet_is_not(records: Records) -> None:
    pruned = records.load("Succeeded")
    with records.control.begin() as connection:
        connection.execute(text("DELETE FROM control.historical_metadata"))
    newest = records.load("Succeeded", hours=25)
    assert records.over(pruned)
    assert not records.over(newest + 1)


def test_a_number_that_was_left_out_may_run_in_the_database_that_this_is_a_copy_of(records: Records) -> None:
    """A server that is restored goes on with later numbers than it had given out."""
    last = records.load("Succeeded", hours=25)
    with records.control.begin() as connection:
        connection.execute(text("SELECT setval('control.historical_metadata_id_seq', :n)"), {"n": last + 32})
    records.load("Succeeded", hours=23)
    assert not records.over(last + 1)
    records.load("Succeeded", hours=24.1)
    assert records.over(last + 1)


def test_a_backfill_s_stage_is_needed_while_its_plan_is_open(records: Records) -> None:
    assert not records.over(1, plan=True), "no plan was ever made here"
    done, left, going_on = records.plan("done"), records.plan("abandoned"), records.plan("open")
    assert [records.over(number, plan=True) for number in (done, left, going_on)] == [True, True, False]
    with records.control.begin() as connection:
        connection.execute(text("DELETE FROM control.table_control"))
    assert records.over(going_on, plan=True), "the plan is gone with its row"
    assert not records.over(going_on + 1, plan=True)


def test_a_load_and_a_backfill_of_one_number_are_two(records: Records) -> None:
    number = records.load("Succeeded")
    with records.control.begin() as connection:
        connection.execute(text("SELECT setval('control.backfill_id_seq', :n, false)"), {"n": number})
    assert records.plan("open") == number
    assert records.over(number)
    assert not records.over(number, plan=True)


def test_another_installation_s_stages_are_nobody_s_business(records: Records) -> None:
    number = records.load("Succeeded")
    other = "0" * 8 if records.installation != "0" * 8 else "1" * 8
    assert not records.over(number, installation=other)
    owners = [
        StageOwner(installation=name, backfill=False, id=number)
        for name in (other, records.installation, other)
    ]
    assert are_over(records.control, owners) == [False, True, False]


def test_a_stage_of_the_same_load_in_a_copy_of_the_database_is_nobody_s_business(records: Records) -> None:
    number = records.load("Succeeded")
    assert records.over(number, loader=loader_mark("n"))
    assert not records.over(number, loader=loader_mark("the copy's"))
    never_started = records.load(failure=BY_REAP, start_nonce=None)
    assert records.over(never_started)
    assert not records.over(never_started, loader=loader_mark("the copy's"))


def test_schemas_are_those_that_started_loads_had_as_their_target(records: Records) -> None:
    first = records.load(target_table="b")
    second = records.load(target_schema="crm", target_table="a")
    records.load(target_schema="never", start_nonce=None)
    records.load(target_schema=None)
    shop = TargetName(catalog="bronze", schema="shop", table="b")
    crm = TargetName(catalog="bronze", schema="crm", table="a")
    assert one_target_a_schema(records.control) == [crm, shop]
    assert one_target_a_schema(records.control, loads=[first]) == [shop]
    assert one_target_a_schema(records.control, rows=[records.row]) == [crm, shop]
    with records.control.begin() as connection:
        moved = update(historical_metadata).where(historical_metadata.c.id == second)
        connection.execute(moved.values(config_id=None))
    assert one_target_a_schema(records.control, rows=[records.row]) == [shop]
    assert one_target_a_schema(records.control, rows=[]) == []
