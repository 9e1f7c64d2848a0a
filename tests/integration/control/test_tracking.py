"""Where a load runs and how far it has come."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine

from airflow_dataloader.control.claim import insert_initial_metadata
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.lease import start
from airflow_dataloader.control.tracking import (
    update_metadata,
    update_run_tracking,
)
from airflow_dataloader.exceptions import ConfigurationError, Fenced
from tests.factories import add_row, add_source
from tests.integration.control.drive import WAITING, claim_now, load, row, sql, start_now
from tests.waiting import until


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control, "shop")
    return add_row(control)


def test_runs_are_recorded_on_both_sides(control: Engine, config_id: int) -> None:
    claimed = claim_now(control, config_id)
    ids = (claimed.metadata_id, claimed.epoch)
    update_run_tracking(control, *ids, submit_token="adl-1-1", airflow_task="ti/1")
    update_run_tracking(
        control,
        *ids,
        airflow_url="https://a/runs/1",
        databricks_url="https://w/runs/7",
        databricks_run="7",
        workspace_host="https://w",
    )
    record, current = load(control, claimed.metadata_id), row(control, config_id)
    assert (record["submit_token"], record["airflow_task"]) == ("adl-1-1", "ti/1")
    assert (record["databricks_run"], record["workspace_host"]) == ("7", "https://w")
    assert current["last_airflow_run"] == "https://a/runs/1"
    assert current["last_databricks_run"] == "https://w/runs/7"


@pytest.mark.parametrize("newer", ["ti/10", "renamed/10"])
def test_a_try_takes_nothing_from_a_newer_one(control: Engine, config_id: int, newer: str) -> None:
    claimed = claim_now(control, config_id)
    ids = (claimed.metadata_id, claimed.epoch)
    update_run_tracking(control, *ids, airflow_task=newer, submit_token="adl-1-1", databricks_run="7")
    before = load(control, claimed.metadata_id), row(control, config_id)
    with pytest.raises(Fenced, match="answered for by try 10 of its task, which is newer"):
        update_run_tracking(control, *ids, airflow_task="ti/9", databricks_run="8", airflow_url="https://a")
    assert (load(control, claimed.metadata_id), row(control, config_id)) == before
    for later in ("ti/10", "renamed again/11"):
        update_run_tracking(control, *ids, airflow_task=later)
        assert load(control, claimed.metadata_id)["airflow_task"] == later


@pytest.mark.parametrize("named", [None, "claiming/7", "by hand", f"by hand/{'9' * 90}"])
def test_the_claim_s_own_try_is_none_of_the_load_s_task(
    control: Engine, config_id: int, named: str | None
) -> None:
    claimed = claim_now(control, config_id, airflow_task=named)
    update_run_tracking(control, claimed.metadata_id, 1, airflow_task="ti/1", submit_token="adl-1-1")
    assert load(control, claimed.metadata_id)["airflow_task"] == "ti/1"


def test_a_try_that_waits_for_the_row_is_overtaken_there(
    control: Engine, control_url: str, config_id: int
) -> None:
    """It was not when it asked."""
    claimed = claim_now(control, config_id)
    ids = (claimed.metadata_id, claimed.epoch)
    update_run_tracking(control, *ids, airflow_task="ti/1", submit_token="adl-1-1")
    late = create_engine(control_url)
    with ThreadPoolExecutor(1) as pool, control.begin() as newer:
        newer.exec_driver_sql("SELECT FROM control.table_control FOR UPDATE")
        waiting = pool.submit(update_run_tracking, late, *ids, airflow_task="ti/1")
        until(lambda: sql(late, WAITING))
        newer.exec_driver_sql("UPDATE control.historical_metadata SET airflow_task = 'ti/2'")
        newer.commit()
        with pytest.raises(Fenced, match="try 2 of its task"):
            waiting.result()
    assert load(control, claimed.metadata_id)["airflow_task"] == "ti/2"
    late.dispose()


def test_progress_is_recorded_while_it_lasts(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    update_metadata(control, started.metadata_id, 1, "nonce", rows_read=5)
    update_metadata(control, started.metadata_id, 1, "nonce", rows_inserted=3)
    record = load(control, started.metadata_id)
    assert (record["rows_read"], record["rows_inserted"]) == (5, 3)


def test_a_load_that_is_over_takes_no_more_words(control: Engine, config_id: int) -> None:
    started = start_now(control, config_id)
    with pytest.raises(Fenced, match="another loader"):
        update_metadata(control, started.metadata_id, 1, "guessed", rows_read=5)
    cancel(control, started.metadata_id, "enough")
    before = load(control, started.metadata_id), row(control, config_id)
    with pytest.raises(Fenced, match="is over: Cancelled"):
        update_metadata(control, started.metadata_id, 1, "nonce", rows_read=5)
    with pytest.raises(Fenced, match="is over: Cancelled"):
        update_run_tracking(control, started.metadata_id, 1, databricks_run="7", airflow_url="x")
    assert (load(control, started.metadata_id), row(control, config_id)) == before


def test_one_row_is_queued_on_demand(control: Engine, config_id: int) -> None:
    claimed = insert_initial_metadata(control, config_id, airflow_run="by hand")
    assert claimed is not None
    assert load(control, claimed.metadata_id)["trigger"] == "manual"
    assert insert_initial_metadata(control, config_id, airflow_run="by hand") == claimed
    assert insert_initial_metadata(control, config_id, airflow_run="another") is None


def test_a_run_may_queue_several_rows_one_by_one(control: Engine, config_id: int) -> None:
    rows = [config_id, add_row(control)]
    first = [insert_initial_metadata(control, one, airflow_run="by hand") for one in rows]
    assert [claimed and claimed.config_id for claimed in first] == rows
    assert [insert_initial_metadata(control, one, airflow_run="by hand") for one in rows] == first
    assert [row(control, one)["last_status"] for one in rows] == ["Queued", "Queued"]


def test_tracking_and_starting_at_once_wait_for_each_other_in_one_order(
    control: Engine, control_url: str, config_id: int
) -> None:
    engines = [create_engine(control_url) for _ in range(3)]
    claimed = claim_now(control, config_id)
    ids = (claimed.metadata_id, claimed.epoch)

    def work(number: int) -> None:
        for _ in range(150):
            if number == 0:
                start(engines[number], *ids, nonce="nonce")
            else:
                update_run_tracking(engines[number], *ids, databricks_run=str(number), databricks_url="u")

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, number) for number in range(3)]:
            done.result()
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize("field", ["airflow_url", "databricks_url"])
def test_a_url_that_has_no_room_is_named(control: Engine, config_id: int, field: str) -> None:
    claimed = claim_now(control, config_id)
    with pytest.raises(
        ConfigurationError, match=f"The {field} of load {claimed.metadata_id} has 501"
    ) as caught:
        update_run_tracking(control, claimed.metadata_id, claimed.epoch, **{field: "x" * 501})
    assert caught.value.field == field
