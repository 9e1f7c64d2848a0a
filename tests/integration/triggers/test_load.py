"""The trigger beside real runs: what it settles, and when it keeps still."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from sqlalchemy import Engine
from structlog.testing import capture_logs

from airflow_dataloader.control import lease
from airflow_dataloader.control.claim import Claimed
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.load_view import view_load
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.hooks.run_api import DatabricksRunApi
from airflow_dataloader.triggers.load import LoadTrigger
from tests.airflow_stand import Workspace
from tests.factories import add_row, add_source
from tests.integration.control.drive import ago, claim_now, load, row
from tests.waiting import until


@pytest.fixture
def claimed(control: Engine) -> Claimed:
    add_source(control, "shop")
    return claim_now(control, add_row(control))


def trigger(control: Engine, claimed: Claimed, run_id: int | None, **overrides: Any) -> LoadTrigger:
    seen = view_load(control, claimed.metadata_id)
    assert seen is not None
    values: dict[str, Any] = {
        "metadata_id": claimed.metadata_id,
        "claimed_at": seen.claimed_at,
        "run_id": run_id,
        "control_conn_id": "dataloader_control",
        "databricks_conn_id": "databricks_default",
        "poll_seconds": 0.2,
        "hold_seconds": 0,
        "airflow_task": "ti/1",
        "task_address": {
            "dag_id": "dataloader_load",
            "airflow_run": "run",
            "task_id": "load",
            "map_index": 0,
        },
    }
    return LoadTrigger(**(values | overrides))


def event(of: LoadTrigger) -> dict[str, Any]:
    async def first(events: AsyncIterator[Any]) -> dict[str, Any]:
        return dict((await anext(events)).payload)

    return asyncio.run(first(of.run()))


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize(
    ("words", "more", "status", "said"),
    [
        (("sleep", "0"), {}, "Failed", "SUCCESS"),
        (("exit", "3"), {}, "Failed", "FAILED: Task t failed with message: Workload failed"),
        (("sleep", "60"), {"timeout_seconds": 1}, "Cancelled", "TIMEDOUT: Run exceeded its timeout"),
    ],
)
def test_a_run_that_is_over_ends_its_load(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    script: Path,
    *,
    words: tuple[str, str],
    more: dict[str, Any],
    status: str,
    said: str,
    running: bool,
) -> None:
    if running:
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
    facts = event(trigger(control, claimed, workspace.submit(script, *words, **more)))
    record = load(control, claimed.metadata_id)
    assert (facts["load_status"], record["load_status"]) == (status, status)
    assert said in record["log_message"]
    assert facts["message"] == record["log_message"]
    assert record["failure"]["settled_by"] == "trigger"
    assert row(control, claimed.config_id)["last_status"] == "Failed"


def test_a_cancelled_run_cancels_its_load(
    control: Engine, claimed: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "sleep", "60")
    workspace.post("/api/2.2/jobs/runs/cancel", {"run_id": run_id})
    facts = event(trigger(control, claimed, run_id))
    assert (facts["load_status"], "CANCELED" in facts["message"]) == ("Cancelled", True)


@pytest.mark.parametrize("kind", ["skipped", "internal_error"])
def test_a_run_that_never_ran_ends_its_load(
    control: Engine, claimed: Claimed, workspace: Workspace, script: Path, kind: str
) -> None:
    workspace.order(kind)
    facts = event(trigger(control, claimed, workspace.submit(script, "sleep", "0")))
    assert facts["load_status"] == "Failed"
    assert "A fault was ordered" in facts["message"]


@pytest.mark.parametrize("running", [False, True])
def test_a_load_whose_run_was_lost_waits_for_its_loader_or_for_reap(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    script: Path,
    *,
    running: bool,
) -> None:
    workspace.order("lost_run")
    run_id = workspace.submit(script, "sleep", "0")
    host = {"databricks_run": str(run_id), "workspace_host": workspace.url}
    update_run_tracking(control, claimed.metadata_id, claimed.epoch, **host)
    if running:
        lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")

    def reaped() -> int:
        limits = ReapLimits(startup=0, wait=0)
        return len(reap(control, run_api=DatabricksRunApi("databricks_default"), limits=limits).ended)

    async def wait(said: list[Any]) -> dict[str, Any]:
        waiting = asyncio.ensure_future(anext(trigger(control, claimed, run_id).run()))
        while not missing(said):
            await asyncio.sleep(0.1)
        assert await asyncio.to_thread(reaped) == 0
        ago(control, claimed.metadata_id, lease_until=301)
        assert not waiting.done()
        assert await asyncio.to_thread(reaped) == 1
        return dict((await waiting).payload)

    with capture_logs() as said:
        facts = asyncio.run(wait(said))
    assert facts["load_status"] == load(control, claimed.metadata_id)["load_status"] == "Failed"
    assert facts["message"].endswith("its workspace answers that its run does not exist.")
    assert len(missing(said)) == 1


def missing(said: list[Any]) -> list[Any]:
    return [entry for entry in said if "cannot be found" in entry["event"]]


def test_a_row_that_somebody_else_settles_is_enough(
    control: Engine, claimed: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "sleep", "60")
    cancel(control, claimed.metadata_id, "by a person")
    assert event(trigger(control, claimed, run_id))["message"] == "by a person"
    assert event(trigger(control, claimed, None))["load_status"] == "Cancelled"


def test_faults_on_the_way_end_nothing(
    control: Engine, claimed: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "exit", "3")
    workspace.order("status", path="runs/get", status=500, times=2)
    workspace.order("lost_answer", path="runs/get", times=2)
    assert event(trigger(control, claimed, run_id))["load_status"] == "Failed"


def test_an_event_is_held_until_the_trigger_is_old_enough(
    control: Engine, claimed: Claimed, workspace: Workspace
) -> None:
    cancel(control, claimed.metadata_id, "by a person")

    async def fires_within(seconds: float) -> bool:
        events = trigger(control, claimed, None, hold_seconds=3600).run()
        waiting = asyncio.ensure_future(anext(events))
        done, _ = await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()
        return bool(done)

    assert not asyncio.run(fires_within(1))


def test_a_load_without_a_record_ends_the_wait(
    workspace: Workspace, control: Engine, claimed: Claimed
) -> None:
    facts = event(trigger(control, claimed, None, metadata_id=10**9))
    assert "has no record" in facts["message"]
    assert "load_status" not in facts


def test_the_run_of_a_lost_load_says_nothing_of_the_load_that_has_its_id_by_now(
    workspace: Workspace, control: Engine, claimed: Claimed, script: Path
) -> None:
    """After a restore from a backup ids are given out again."""
    run_id = workspace.submit(script, "sleep", "0")
    facts = event(trigger(control, claimed, run_id, claimed_at="0"))
    assert "has no record" in facts["message"]
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"


def test_a_kill_whose_task_cannot_be_asked_about_ends_nothing(
    control: Engine, claimed: Claimed, workspace: Workspace, script: Path
) -> None:
    """Here is no Airflow that could answer."""
    run_id = workspace.submit(script, "sleep", "60")
    asyncio.run(trigger(control, claimed, run_id).on_kill())
    assert load(control, claimed.metadata_id)["load_status"] == "Queued"


@pytest.fixture
def marked(claimed: Claimed, control: Engine, monkeypatch: pytest.MonkeyPatch) -> Claimed:
    """A load whose task a person has marked, as far as its trigger can see; the acceptance tests mark."""
    update_run_tracking(control, claimed.metadata_id, claimed.epoch, airflow_task="ti/1")

    async def yes(_: LoadTrigger) -> bool:
        return True

    monkeypatch.setattr(LoadTrigger, "_task_is_over", yes)
    return claimed


def test_a_kill_beside_a_trigger_that_blocks_ends_load_and_run(
    control: Engine, marked: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "sleep", "600")

    async def kill() -> None:
        done = threading.Event()
        other = asyncio.ensure_future(sync_to_async(done.wait)())
        try:
            await asyncio.wait_for(trigger(control, marked, run_id).on_kill(), 60)
        finally:
            done.set()
            await other

    asyncio.run(kill())
    assert load(control, marked.metadata_id)["load_status"] == "Cancelled"
    until(lambda: is_cancelled(workspace, run_id))


def test_a_run_that_could_not_be_cancelled_at_first_is_cancelled_in_the_end(
    control: Engine, marked: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "sleep", "600")
    workspace.order("status", path="runs/cancel", status=500, times=3)
    asyncio.run(trigger(control, marked, run_id).on_kill())
    assert load(control, marked.metadata_id)["load_status"] == "Cancelled"
    until(lambda: is_cancelled(workspace, run_id))


def test_a_kill_leaves_the_run_of_a_load_that_another_try_answers_for(
    control: Engine, marked: Claimed, workspace: Workspace, script: Path
) -> None:
    run_id = workspace.submit(script, "sleep", "600")
    asyncio.run(trigger(control, marked, run_id, airflow_task="ti/0").on_kill())
    assert load(control, marked.metadata_id)["load_status"] == "Queued"
    cancel(control, marked.metadata_id, "by a person")
    asyncio.run(trigger(control, marked, run_id).on_kill())
    assert workspace.run(run_id)["state"]["life_cycle_state"] in {"PENDING", "RUNNING"}


def is_cancelled(workspace: Workspace, run_id: int) -> bool:
    return workspace.run(run_id)["state"].get("result_state") == "CANCELED"
