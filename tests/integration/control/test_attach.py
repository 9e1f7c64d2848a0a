"""Which load a try of a task answers for: attach, report, or claim anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import lease
from airflow_dataloader.control.attach import Attached, MappedLoad, Try, attach
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import Fenced
from tests.factories import add_row, add_source
from tests.integration.control.drive import LONG_AGO, due_row, edit, load, loads_of, sql

RUN, BASE = "scheduled__1", "https://airflow.example"


@pytest.fixture
def mapped(control: Engine) -> MappedLoad:
    add_source(control, "shop")
    due_row(control)
    (found,) = claim(control, airflow_run=RUN, airflow_base_url=BASE)
    return MappedLoad(metadata_id=found.metadata_id, epoch=found.epoch, config_id=found.config_id)


def a_try(number: int = 1, **overrides: Any) -> Try:
    values = {
        "airflow_run": RUN,
        "map_index": 0,
        "number": number,
        "airflow_task": f"ti/{number}",
        "airflow_base_url": BASE,
    }
    return Try(**(values | overrides))


def test_a_first_try_is_put_on_record(control: Engine, mapped: MappedLoad) -> None:
    attached = attach(control, mapped, a_try())
    assert (attached.metadata_id, attached.over, attached.being_reaped) == (mapped.metadata_id, False, False)
    record = load(control, mapped.metadata_id)
    assert record["airflow_task"] == "ti/1"
    assert record["submit_token"] == attached.token
    assert f"-{mapped.metadata_id}-{mapped.epoch}-" in attached.token


@pytest.mark.parametrize("first", [1, 2])
def test_a_later_try_attaches_to_what_lives(control: Engine, mapped: MappedLoad, first: int) -> None:
    before = attach(control, mapped, a_try())
    lease.start(control, mapped.metadata_id, mapped.epoch, nonce="n")
    now = attach(control, mapped, a_try(2, first=first))
    assert (now.metadata_id, now.token) == (before.metadata_id, before.token)
    assert load(control, mapped.metadata_id)["airflow_task"] == "ti/2"
    assert len(loads_of(control, mapped.config_id)) == 1


def test_a_retry_reports_what_ended_in_the_meantime(control: Engine, mapped: MappedLoad) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    attached = attach(control, mapped, a_try(2))
    assert (attached.status, attached.message) == (LoadStatus.CANCELLED, "by a person")
    assert len(loads_of(control, mapped.config_id)) == 1


def test_clearing_an_ended_load_claims_the_row_anew_whatever_its_slot(
    control: Engine, mapped: MappedLoad
) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    edit(control, mapped.config_id, next_load_date_time=None)
    attached = attach(control, mapped, a_try(2, first=2))
    assert attached.metadata_id > mapped.metadata_id
    assert not attached.over
    record = load(control, attached.metadata_id)
    assert (record["trigger"], record["airflow_task"]) == ("manual", "ti/2")
    assert record["submit_token"] == attached.token
    # The run's own claim goes on giving the answer that its tasks were mapped over.
    (again,) = claim(control, airflow_run=RUN, airflow_base_url=BASE)
    assert again.metadata_id == mapped.metadata_id


def test_clearing_has_deleted_rows_looked_for_where_the_load_was_to(control: Engine) -> None:
    add_source(control, "shop")
    due_row(
        control,
        load_strategy="incremental",
        incremental_column="at",
        primary_key_cols="id",
        delete_policy="scan",
        delete_cron="0 3 * * 0",
        next_delete_scan=LONG_AGO,
    )
    (found,) = claim(control, airflow_run=RUN, airflow_base_url=BASE)
    weekly = MappedLoad(metadata_id=found.metadata_id, epoch=found.epoch, config_id=found.config_id)
    lease.start(control, found.metadata_id, found.epoch, nonce="n")
    cancel(control, found.metadata_id, "by a person")
    attached = attach(control, weekly, a_try(2, first=2))
    modes = [one["mode"] for one in loads_of(control, found.config_id)]
    assert (attached.metadata_id > found.metadata_id, modes) == (True, ["incremental + delete_scan"] * 2)


def test_every_try_after_a_clear_finds_that_load(control: Engine, mapped: MappedLoad) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    renewed = attach(control, mapped, a_try(2, first=2))
    for later in (a_try(3, first=2), a_try(4, first=4)):
        assert attach(control, mapped, later).metadata_id == renewed.metadata_id
    cancel(control, renewed.metadata_id, "again")
    assert attach(control, mapped, a_try(5, first=4)).status is LoadStatus.CANCELLED
    assert attach(control, mapped, a_try(6, first=6)).metadata_id > renewed.metadata_id
    assert len(loads_of(control, mapped.config_id)) == 3


@pytest.mark.parametrize("answered", [False, True])
def test_a_clear_counts_though_the_first_try_after_it_is_lost(
    control: Engine, mapped: MappedLoad, answered: bool
) -> None:
    """The claim's task wrote its own try's number on the load: no try of the load's task."""
    edit_load = "UPDATE control.historical_metadata SET airflow_task = 'claim/7' WHERE id = :id"
    sql(control, edit_load, id=mapped.metadata_id)
    if answered:
        attach(control, mapped, a_try(1))
    cancel(control, mapped.metadata_id, "by a person")
    assert attach(control, mapped, a_try(2)).metadata_id == mapped.metadata_id
    renewed = attach(control, mapped, a_try(4, first=3))
    assert (renewed.metadata_id > mapped.metadata_id, renewed.over) == (True, False)
    assert load(control, renewed.metadata_id)["airflow_run"] == f"{RUN}#load[0].3"
    cancel(control, renewed.metadata_id, "again")
    assert attach(control, mapped, a_try(5, first=3)).status is LoadStatus.CANCELLED
    assert len(loads_of(control, mapped.config_id)) == 2


def test_a_load_that_the_cleared_task_attached_to_is_not_loaded_again(
    control: Engine, mapped: MappedLoad
) -> None:
    attach(control, mapped, a_try(1))
    attach(control, mapped, a_try(2, first=2))
    cancel(control, mapped.metadata_id, "by a person")
    assert attach(control, mapped, a_try(3, first=2)).status is LoadStatus.CANCELLED
    assert len(loads_of(control, mapped.config_id)) == 1


def test_a_try_that_stood_still_leaves_the_load_to_the_newer_one(control: Engine, mapped: MappedLoad) -> None:
    """The cleared task's retry reports the load; with the older try on record it would load the row again."""
    newer = attach(control, mapped, a_try(2, first=2))
    update_run_tracking(control, newer.metadata_id, newer.epoch, databricks_run="7")
    with pytest.raises(Fenced, match="answered for by try 2 of its task"):
        attach(control, mapped, a_try(1))
    assert load(control, mapped.metadata_id)["airflow_task"] == "ti/2"
    cancel(control, mapped.metadata_id, "by a person")
    assert attach(control, mapped, a_try(3, first=2)).status is LoadStatus.CANCELLED
    assert len(loads_of(control, mapped.config_id)) == 1


def test_a_load_that_ended_before_a_try_of_the_cleared_task_attached_is_reported(
    control: Engine, mapped: MappedLoad
) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    edit(control, mapped.config_id, load_strategy="incremental", incremental_column=None)
    refused = attach(control, mapped, a_try(2, first=2))
    edit(control, mapped.config_id, load_strategy="full")
    assert attach(control, mapped, a_try(3, first=2)).metadata_id == refused.metadata_id


def test_another_loads_row_is_refused_by_name(control: Engine, mapped: MappedLoad) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    (other,) = claim(control, airflow_run="another", only=[mapped.config_id])
    with pytest.raises(Fenced, match=f"Queued and held by load {other.metadata_id} of Airflow run another"):
        attach(control, mapped, a_try(2, first=2))


def test_a_load_of_another_task_or_airflow_is_not_ours(control: Engine, mapped: MappedLoad) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    attach(control, mapped, a_try(2, first=2, map_index=11))
    for stranger in (a_try(2, map_index=1), a_try(2, airflow_base_url="https://elsewhere")):
        assert attach(control, mapped, stranger).metadata_id == mapped.metadata_id


def test_a_row_that_may_not_be_loaded_says_why_and_when_to_clear_again(
    control: Engine, mapped: MappedLoad
) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    edit(control, mapped.config_id, is_active=False)
    with pytest.raises(Fenced, match=r"is not active\. Fix: set is_active\."):
        attach(control, mapped, a_try(2, first=2))
    edit(control, mapped.config_id, is_active=True)
    with pytest.raises(Fenced, match=r"the 0 loads that may .* Fix: clear the task after one's end\."):
        attach(control, mapped, a_try(2, first=2), max_concurrent=0)
    with control.begin() as connection:
        connection.exec_driver_sql("SELECT FROM control.table_control FOR UPDATE")
        with pytest.raises(Fenced, match=r"another session held the row, .* Fix: clear the task again\."):
            attach(control, mapped, a_try(2, first=2))
    sql(control, "DELETE FROM control.table_control")
    with pytest.raises(Fenced, match=r"was deleted\.$"):
        attach(control, mapped, a_try(2, first=2))


def test_a_row_that_cannot_be_loaded_any_more_is_ended_at_once(control: Engine, mapped: MappedLoad) -> None:
    cancel(control, mapped.metadata_id, "by a person")
    edit(control, mapped.config_id, load_strategy="incremental", incremental_column=None)
    attached = attach(control, mapped, a_try(2, first=2))
    assert attached.status is LoadStatus.FAILED
    assert "incremental_column" in (attached.message or "")


def test_what_a_reap_is_ending_is_watched_and_not_submitted(control: Engine, mapped: MappedLoad) -> None:
    lease.start(control, mapped.metadata_id, mapped.epoch, nonce="n")
    sql(
        control,
        "UPDATE control.historical_metadata SET reaping_until = now() + interval '1 minute' WHERE id = :id",
        id=mapped.metadata_id,
    )
    attached = attach(control, mapped, a_try(2))
    assert (attached.being_reaped, attached.over) == (True, False)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM control.table_control", "lost its row, which was deleted"),
        ("UPDATE control.table_control SET load_epoch = load_epoch + 1", "the row is at epoch 2 by now"),
    ],
)
def test_a_load_that_has_lost_its_row_is_not_submitted(
    control: Engine, mapped: MappedLoad, change: str, why: str
) -> None:
    """Its loader would be refused after minutes of a cluster's start."""
    sql(control, change)
    with pytest.raises(Fenced, match=why):
        attach(control, mapped, a_try())


def test_a_load_that_has_lost_its_row_while_it_runs_is_watched(control: Engine, mapped: MappedLoad) -> None:
    lease.start(control, mapped.metadata_id, mapped.epoch, nonce="n")
    sql(control, "DELETE FROM control.table_control")
    assert attach(control, mapped, a_try(2)).submitted


def test_a_long_run_id_still_has_room_for_its_suffix(control: Engine) -> None:
    add_source(control, "shop")
    config_id = add_row(control)
    runs = [f"manual__{'x' * 240}{n}" for n in (1, 2)]
    prefixes = {a_try(airflow_run=run, map_index=1023).prefix for run in runs}
    assert len(prefixes) == 2
    (found,) = claim(control, airflow_run=runs[0], airflow_base_url=BASE, only=[config_id])
    ours = MappedLoad(metadata_id=found.metadata_id, epoch=found.epoch, config_id=config_id)
    cancel(control, found.metadata_id, "by a person")
    renewed: Attached = attach(control, ours, a_try(99, first=99, airflow_run=runs[0], map_index=1023))
    assert not renewed.over


@pytest.mark.parametrize("lost", [{"config_id": 10**9}, {"airflow_run": "scheduled__0"}])
def test_a_load_that_has_got_the_id_of_a_lost_one_is_not_the_lost_one_s_task_s(
    control: Engine, mapped: MappedLoad, lost: dict[str, Any]
) -> None:
    """After a restore from a backup ids are given out again, to other rows or in other runs."""
    config_id = lost.pop("config_id", mapped.config_id)
    before = load(control, mapped.metadata_id)
    with pytest.raises(Fenced, match=f"There is no load {mapped.metadata_id} of config_id {config_id}"):
        attach(control, replace(mapped, config_id=config_id), a_try(2, **lost))
    assert load(control, mapped.metadata_id) == before


def test_a_load_without_a_record_is_nobodys(control: Engine) -> None:
    with pytest.raises(Fenced, match="There is no load 7"):
        attach(control, MappedLoad(metadata_id=7, epoch=1, config_id=1), a_try())
