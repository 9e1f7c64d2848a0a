"""Reap, line by line of its table."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.reap import Reaped, reap
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import Fenced
from tests.factories import add_source
from tests.integration.control.drive import (
    ago,
    claim_now,
    due_row,
    edit,
    load,
    row,
    sql,
    start_now,
)
from tests.integration.control.jobs import Jobs

#: The server of a test session is young, and nobody wants to wait for a run that will not end.
LIMITS = ReapLimits(startup=0, wait=0.2, poll=0.02)


def queue(engine: Engine, config_id: int, run: str | None = None) -> int:
    claimed = claim_now(engine, config_id)
    if run:
        update_run_tracking(engine, claimed.metadata_id, claimed.epoch, databricks_run=run)
    return claimed.metadata_id


def begin(engine: Engine, config_id: int, run: str | None = None, **past: float) -> Started:
    claimed = claim_now(engine, config_id)
    started = lease.start(engine, claimed.metadata_id, claimed.epoch, nonce="nonce", databricks_run=run)
    if past:
        ago(engine, started.metadata_id, **past)
    return started


def gone(engine: Engine, api: Jobs | None = None, limits: ReapLimits = LIMITS) -> list[Reaped]:
    reaping = reap(engine, run_api=api, limits=limits)
    assert reaping.left == ()
    return list(reaping.ended)


def status(engine: Engine, metadata_id: int) -> tuple[Any, Any]:
    record = load(engine, metadata_id)
    return record["load_status"], row(engine, record["config_id"])["last_status"]


def test_nothing_happens_right_after_the_database_came_up(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id)
    ago(control, metadata_id, lease_until=5)
    a_day = replace(LIMITS, startup=86_400)
    assert gone(control, limits=a_day) == []
    assert status(control, metadata_id) == ("Queued", "Queued")
    assert ReapLimits().startup == 90


@pytest.mark.parametrize(("ahead", "reaps"), [("1 day", True), ("30 seconds", False)])
def test_a_clock_that_was_set_back_since_the_database_came_up_ends_no_reaping(
    control: Engine, control_url: str, config_id: int, ahead: str, reaps: bool
) -> None:
    """Started while the clock was ahead, the database came up in what is the future by now."""
    metadata_id = queue(control, config_id)
    ago(control, metadata_id, lease_until=5)
    sql(control, "CREATE SCHEMA ahead")
    sql(
        control,
        "CREATE FUNCTION ahead.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql "
        f"AS $$ SELECT clock_timestamp() + interval '{ahead}' $$",
    )
    engine = create_engine(f"{control_url}?options=-csearch_path%3Dahead,pg_catalog")
    try:
        ended = reap(engine, run_api=None).ended
    finally:
        engine.dispose()
    assert [one.metadata_id for one in ended] == ([metadata_id] if reaps else [])


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.RUNNING])
def test_a_waiting_run_is_given_more_time(control: Engine, config_id: int, state: RunState) -> None:
    metadata_id = queue(control, config_id, "7")
    ago(control, metadata_id, lease_until=100, load_queued_time=3_500)
    assert gone(control, Jobs(**{"7": state})) == []
    assert sql(
        control,
        "SELECT lease_until > clock_timestamp() + interval '9 minutes' FROM control.historical_metadata",
    ) == [(True,)]
    assert status(control, metadata_id) == ("Queued", "Queued")


def test_a_run_that_waits_for_over_an_hour_is_cancelled(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id, "7")
    ago(control, metadata_id, load_queued_time=3_601)
    api = Jobs(**{"7": RunState.PENDING})
    (reaped,) = gone(control, api)
    message = "Cancelled - stuck in queue for >60 minutes"
    assert reaped == Reaped(
        metadata_id=metadata_id, config_id=config_id, status=LoadStatus.CANCELLED, message=message
    )
    assert status(control, metadata_id) == ("Cancelled", "Failed")
    assert row(control, config_id)["last_status_message"] == message
    assert api.cancelled == ["7"]
    with pytest.raises(Fenced):
        lease.start(control, metadata_id, 1, nonce="late")


def test_a_queued_load_without_run_ends_with_its_lease(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id)
    assert gone(control, Jobs()) == []
    ago(control, metadata_id, lease_until=1, load_queued_time=601)
    (reaped,) = gone(control, Jobs())
    assert (reaped.status, reaped.metadata_id) == (LoadStatus.FAILED, metadata_id)
    assert status(control, metadata_id) == ("Failed", "Failed")
    assert load(control, metadata_id)["failure"]["settled_by"] == "reap"
    with pytest.raises(Fenced, match="Nothing started this load within 10 minutes"):
        lease.start(control, metadata_id, 1, nonce="orphan")


@pytest.mark.parametrize("started", [False, True])
def test_an_ended_run_fails_its_load_with_its_own_reason(
    control: Engine, config_id: int, started: bool
) -> None:
    if started:
        metadata_id = begin(control, config_id, "7", lease_until=1).metadata_id
    else:
        metadata_id = queue(control, config_id, "7")
    api = Jobs()
    api.runs["7"] = Run(state=RunState.ENDED, reason="Spot instance lost.", termination_code="CLUSTER_ERROR")
    (reaped,) = gone(control, api)
    assert reaped.status is LoadStatus.FAILED
    assert "Spot instance lost." in row(control, config_id)["last_status_message"]
    assert load(control, metadata_id)["failure"]["termination_code"] == "CLUSTER_ERROR"
    assert api.cancelled == [], "it is over"


@pytest.mark.parametrize("run", [None, "7"])
def test_a_silent_loader_is_left_for_five_minutes(control: Engine, config_id: int, run: str | None) -> None:
    started = begin(control, config_id, run, lease_until=290)
    assert gone(control, Jobs(**{"7": RunState.RUNNING})) == []
    lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=True)
    assert status(control, started.metadata_id) == ("In Progress", "In Progress")


@pytest.mark.parametrize("run", [None, "7"])
@pytest.mark.parametrize(
    ("past", "expected", "said"),
    [
        ({"lease_until": 301}, LoadStatus.FAILED, "has not been heard of"),
        ({"progress_at": 601}, LoadStatus.FAILED, "No progress for 10 minutes."),
        ({"load_start_time": 10_801}, LoadStatus.CANCELLED, "Cancelled - exceeded 180 minute timeout"),
    ],
)
def test_a_loader_that_is_past_help_is_fenced_then_cancelled_then_ended(
    control: Engine, config_id: int, run: str | None, past: dict[str, float], expected: LoadStatus, said: str
) -> None:
    started = begin(control, config_id, run, **past)
    api = Jobs(**{"7": RunState.RUNNING})

    def loader_hears_of_it(_: str) -> None:
        record = load(control, started.metadata_id)
        assert record["reaping_until"] is not None
        assert record["epoch"] == row(control, config_id)["load_epoch"] == started.epoch + 1
        assert said in record["log_message"]
        with pytest.raises(Fenced, match="is being given up"):
            lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=True)
        with pytest.raises(Fenced):
            settle.succeed(control, started, receipt=Receipt(), watermark=None)

    api.on_cancel = loader_hears_of_it
    (reaped,) = gone(control, api)
    assert (reaped.status, reaped.metadata_id) == (expected, started.metadata_id)
    assert said in reaped.message
    assert status(control, started.metadata_id) == (expected, "Failed")
    assert said in row(control, config_id)["last_status_message"]
    assert api.cancelled == ([run] if run else [])
    record = load(control, started.metadata_id)
    assert (record["failure"]["settled_by"], record["reaping_until"]) == ("reap", None)
    later = start_now(control, config_id)
    assert later.epoch == started.epoch + 2
    assert [attempt.metadata_id for attempt in later.uncertain] == [started.metadata_id]


def test_a_run_that_does_not_end_is_not_waited_for_for_ever(control: Engine, config_id: int) -> None:
    started = begin(control, config_id, "7", lease_until=301)
    api = Jobs(**{"7": RunState.RUNNING})
    api.obeys = False
    assert len(gone(control, api)) == 1
    assert api.asked.count("7") > 2
    assert status(control, started.metadata_id) == ("Failed", "Failed")


def test_a_row_s_own_maximum_counts_as_it_is_now(control: Engine, config_id: int) -> None:
    started = begin(control, config_id, load_start_time=10_801)
    edit(control, config_id, max_runtime_minutes=600)
    assert gone(control) == []
    edit(control, config_id, max_runtime_minutes=30)
    (reaped,) = gone(control)
    assert reaped.message == "Cancelled - exceeded 30 minute timeout"
    assert reaped.metadata_id == started.metadata_id


@pytest.mark.parametrize("why", ["unreachable", "another workspace", "no api"])
def test_what_cannot_be_asked_about_is_left_until_it_expires(
    control: Engine, config_id: int, why: str
) -> None:
    started = begin(control, config_id, "7", lease_until=3_000, progress_at=3_000)
    api = None if why == "no api" else Jobs()
    if api and why == "unreachable":
        api.reachable = False
    assert gone(control, api) == []
    ago(control, started.metadata_id, load_queued_time=240 * 60 + 1)
    (reaped,) = gone(control, api)
    assert reaped.status is LoadStatus.CANCELLED
    assert status(control, started.metadata_id) == ("Cancelled", "Failed")


def test_a_queued_load_whose_run_does_not_exist_ends_with_its_lease(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id, "7")
    api = Jobs(**{"7": RunState.GONE})
    assert gone(control, api) == []
    ago(control, metadata_id, lease_until=1, load_queued_time=601)
    (reaped,) = gone(control, api)
    assert reaped.message.endswith("its workspace answers that its run does not exist.")
    assert status(control, metadata_id) == ("Failed", "Failed")
    assert load(control, metadata_id)["failure"]["error"] == "RunGone"
    assert api.cancelled == []


def test_a_queued_load_that_gets_more_time_meanwhile_is_not_ended(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id, "7")
    ago(control, metadata_id, lease_until=1)

    class Late(Jobs):
        def state(self, workspace_host: str | None, databricks_run: str) -> Run:
            ago(control, metadata_id, lease_until=-600)
            return super().state(workspace_host, databricks_run)

    assert gone(control, Late(**{"7": RunState.GONE})) == []
    assert status(control, metadata_id) == ("Queued", "Queued")


def test_a_silent_loader_whose_run_does_not_exist_is_fenced(control: Engine, config_id: int) -> None:
    started = begin(control, config_id, "7", lease_until=299)
    api = Jobs(**{"7": RunState.GONE})
    assert gone(control, api) == []
    ago(control, started.metadata_id, lease_until=301)
    (reaped,) = gone(control, api)
    assert reaped.message.endswith("its workspace answers that its run does not exist.")
    assert status(control, started.metadata_id) == ("Failed", "Failed")
    record = load(control, started.metadata_id)
    assert (record["writer_epoch"], record["epoch"]) == (started.epoch, started.epoch + 1)


@pytest.mark.parametrize(("silence", "asked"), [(0.2, 1), (0.0, 3)])
def test_an_api_that_keeps_silent_is_not_asked_for_every_run(
    control: Engine, config_id: int, silence: float, asked: int
) -> None:
    """One that refuses at once may do so for the sake of one run."""
    loads = [queue(control, config) for config in (config_id, due_row(control), due_row(control))]
    for number, metadata_id in enumerate(loads):
        update_run_tracking(control, metadata_id, 1, databricks_run=str(number))
    api = Jobs()
    api.reachable, api.silence = False, silence
    # What answers at once is never taken for silent, however slow the machine.
    assert gone(control, api, replace(LIMITS, silence=0.1 if silence else 60.0)) == []
    assert api.vain == asked
    assert {status(control, metadata_id) for metadata_id in loads} == {("Queued", "Queued")}


def test_an_api_that_answers_slowly_does_not_keep_a_reap_for_ever(
    control: Engine, config_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Slow(Jobs):
        def state(self, workspace_host: str | None, databricks_run: str) -> Run:
            time.sleep(0.2)
            return super().state(workspace_host, databricks_run)

    loads = [queue(control, config) for config in (config_id, due_row(control), due_row(control))]
    for number, metadata_id in enumerate(loads):
        update_run_tracking(control, metadata_id, 1, databricks_run=str(number))
    api = Slow()
    assert gone(control, api, replace(LIMITS, asking=0.1)) == []
    assert len(api.asked) == 1
    assert "answers slowly" in caplog.text


def test_a_run_whose_answer_is_beyond_its_reader_keeps_no_other(
    control: Engine, config_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(Jobs):
        def state(self, workspace_host: str | None, databricks_run: str) -> Run:
            if databricks_run == "odd":
                raise AttributeError("'NoneType' object has no attribute 'pop'")
            return super().state(workspace_host, databricks_run)

    odd = queue(control, config_id, "odd")
    lost = queue(control, due_row(control), "7")
    (reaped,) = gone(control, Odd(**{"7": RunState.ENDED}))
    assert reaped.metadata_id == lost
    assert status(control, odd) == ("Queued", "Queued")
    assert "no attribute 'pop'" in caplog.text
    begin(control, due_row(control), "odd", lease_until=301)
    assert len(gone(control, Odd())) == 0


def test_a_queued_load_of_another_workspace_is_left_too(control: Engine, config_id: int) -> None:
    metadata_id = queue(control, config_id, "7")
    ago(control, metadata_id, lease_until=3_000)
    assert gone(control, None) == []
    ago(control, metadata_id, load_queued_time=240 * 60 + 1)
    assert len(gone(control, Jobs())) == 1


def test_what_a_dead_reap_began_is_finished_by_the_next(control: Engine, config_id: int) -> None:
    started = begin(control, config_id, "7", lease_until=301)
    api = Jobs(**{"7": RunState.RUNNING})

    class Died(BaseException):
        pass

    def die(_: str) -> None:
        raise Died

    api.on_cancel = die
    with pytest.raises(Died):
        gone(control, api)
    api.on_cancel = lambda _: None
    record = load(control, started.metadata_id)
    assert (record["load_status"], record["epoch"]) == ("In Progress", started.epoch + 1)
    assert gone(control, api) == [], "somebody may still be at it"
    ago(control, started.metadata_id, reaping_until=1)
    (reaped,) = gone(control, api)
    assert (reaped.status, reaped.message) == (LoadStatus.FAILED, record["log_message"])
    assert status(control, started.metadata_id) == ("Failed", "Failed")
    assert load(control, started.metadata_id)["failure"]["error"] == "LeaseExpired"
    assert row(control, config_id)["load_epoch"] == started.epoch + 1


def test_a_loader_that_comes_back_before_the_fence_keeps_its_load(control: Engine, config_id: int) -> None:
    started = begin(control, config_id, "7", lease_until=301)

    class Slow(Jobs):
        """Answers after the loader has come back."""

        def state(self, workspace_host: str | None, databricks_run: str) -> Run:
            lease.heartbeat(control, started.metadata_id, started.epoch, "nonce", progressed=True)
            return super().state(workspace_host, databricks_run)

    api = Slow(**{"7": RunState.RUNNING})
    assert gone(control, api) == []
    assert api.cancelled == []
    settle.succeed(control, started, receipt=Receipt(), watermark=None)
    assert status(control, started.metadata_id) == ("Succeeded", "Succeeded")


def test_an_api_that_is_slow_to_end_runs_is_not_waited_for(control: Engine, config_id: int) -> None:
    loads = [begin(control, due_row(control), str(run), progress_at=601).metadata_id for run in range(3)]
    api = Jobs(**{str(run): RunState.RUNNING for run in range(3)})
    api.on_cancel = lambda _: time.sleep(0.2)
    ended = gone(control, api, replace(LIMITS, asking=0.1))
    assert sorted(one.metadata_id for one in ended) == loads
    assert len(api.cancelled) == 1


def test_a_run_with_other_loads_to_do_is_not_cancelled(control: Engine, config_id: int) -> None:
    stalled = begin(control, config_id, "7", progress_at=601)
    waiting = queue(control, due_row(control), "7")
    api = Jobs(**{"7": RunState.RUNNING})
    (reaped,) = gone(control, api)
    assert reaped.metadata_id == stalled.metadata_id
    assert api.cancelled == []
    assert status(control, waiting) == ("Queued", "Queued")


def test_two_reaps_at_once_share_the_work(control: Engine, control_url: str) -> None:
    add_source(control, "shop", max_concurrent_loads=100)
    loads = {begin(control, due_row(control), lease_until=301).metadata_id for _ in range(12)}
    engines = [create_engine(control_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(gone, engines))
    for engine in engines:
        engine.dispose()
    ended = [reaped.metadata_id for answer in answers for reaped in answer]
    assert sorted(ended) == sorted(loads)
    assert sql(control, "SELECT DISTINCT load_epoch FROM control.table_control") == [(2,)]


def test_a_healthy_load_is_nobody_s_business(control: Engine, config_id: int) -> None:
    begin(control, config_id, "7", load_start_time=3_000)
    api = Jobs(**{"7": RunState.RUNNING})
    assert gone(control, api) == []
    assert api.asked == []


@pytest.mark.parametrize("table", ["table_control", "historical_metadata"])
def test_a_load_that_somebody_holds_keeps_no_other(control: Engine, config_id: int, table: str) -> None:
    silent = [begin(control, one, lease_until=301) for one in (config_id, due_row(control))]
    unstarted = [queue(control, due_row(control)) for _ in range(2)]
    for metadata_id in unstarted:
        ago(control, metadata_id, lease_until=1)
    held = [silent[0].metadata_id, unstarted[0]]
    key = "id" if table == "historical_metadata" else "config_id"
    ids = held if key == "id" else [load(control, one)["config_id"] for one in held]
    with control.connect() as session:
        # What a psql session does that is left open after an UPDATE.
        statement = f"UPDATE control.{table} SET {key} = {key} WHERE {key} = ANY (:ids)"
        session.execute(text(statement), {"ids": ids})
        reaping = reap(control, run_api=None, limits=LIMITS)
        session.rollback()
    assert {one.metadata_id for one in reaping.ended} == {silent[1].metadata_id, unstarted[1]}
    assert {(one.metadata_id, one.why) for one in reaping.left} == {
        (metadata_id, "somebody holds a lock on it") for metadata_id in held
    }
    assert {one.metadata_id for one in gone(control)} == set(held)


def test_an_end_that_the_database_refuses_keeps_no_other(control: Engine, config_id: int) -> None:
    refused, other = (queue(control, one) for one in (config_id, due_row(control)))
    for metadata_id in (refused, other):
        ago(control, metadata_id, lease_until=1)
    sql(
        control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK "
        f"(config_id <> {config_id} OR last_status <> 'Failed')",
    )
    reaping = reap(control, run_api=None, limits=LIMITS)
    assert [one.metadata_id for one in reaping.ended] == [other]
    assert [one.metadata_id for one in reaping.left] == [refused]
    assert "somebody_s_own" in reaping.left[0].why


def test_a_reaped_attempt_is_known_by_the_epoch_that_it_wrote_with(control: Engine, config_id: int) -> None:
    zombie = begin(control, config_id, lease_until=301)
    assert len(gone(control)) == 1
    (attempt,) = start_now(control, config_id).uncertain
    assert (attempt.metadata_id, attempt.epoch) == (zombie.metadata_id, zombie.epoch)


@pytest.mark.parametrize(
    ("started", "record"),
    [
        (True, "lease_until = '-infinity'"),
        (True, "progress_at = '-infinity'"),
        (True, "load_start_time = '-infinity'"),
        (True, "lease_until = '0044-03-15 BC'"),
        (True, "reaping_until = '-infinity'"),
        (True, "reaping_until = 'infinity'"),
        (True, "reaping_until = '2999-01-01'"),
        (True, "reaping_until = '2020-01-01', failure = NULL"),
        (True, """reaping_until = '2020-01-01', failure = '{"phase": "moon", "error": "No"}'"""),
        (True, """reaping_until = '2020-01-01', failure = '{"phase": "run", "other": 1}'"""),
        (True, f"reaping_until = '2020-01-01', failure = '[{'9' * 5_000}]'"),
        (False, "lease_until = '-infinity'"),
        (False, "lease_until = '-infinity', reaping_until = '2020-01-01'"),
        (False, "lease_until = '-infinity', reaping_until = clock_timestamp() + interval '1 min'"),
        (False, "lease_until = '-infinity', load_queued_time = '-infinity'"),
        (False, "lease_until = '-infinity', load_queued_time = NULL"),
        (False, "lease_until = 'infinity', load_queued_time = clock_timestamp() - interval '61 min'"),
    ],
)
def test_a_record_with_an_odd_time_or_failure_is_given_up_and_keeps_no_other(
    control: Engine, config_id: int, started: bool, record: str
) -> None:
    odd = begin(control, config_id).metadata_id if started else queue(control, config_id)
    dead = queue(control, due_row(control))
    ago(control, dead, lease_until=1)
    sql(control, f"UPDATE control.historical_metadata SET {record} WHERE id = {odd}")
    assert {one.metadata_id for one in gone(control)} == {odd, dead}
    assert load(control, odd)["failure"]["settled_by"] == "reap"
