"""When a load is given up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.reaping import (
    Action,
    Decision,
    EndReason,
    LiveLoad,
    ReapLimits,
    decide,
    must_ask,
    run_ended,
)
from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.core.status import LoadStatus, RowStatus
from airflow_dataloader.settings import Settings

LIMITS = ReapLimits()
MINUTE = 60.0


def queued(**overrides: Any) -> LiveLoad:
    values = {
        "status": RowStatus.QUEUED,
        "has_run": False,
        "max_runtime_minutes": 180,
        "since_claim": 60.0,
        "since_start": 0.0,
        "since_progress": 0.0,
        "lease_over": -540.0,
    }
    return LiveLoad(**(values | overrides))


def running(**overrides: Any) -> LiveLoad:
    values = {
        "status": RowStatus.IN_PROGRESS,
        "has_run": True,
        "since_claim": 300.0,
        "since_start": 240.0,
        "since_progress": 5.0,
        "lease_over": -55.0,
    }
    return queued(**(values | overrides))


def run(state: RunState, reason: str = "") -> Run:
    return Run(state=state, reason=reason)


RUNNING, UNKNOWN, GONE = run(RunState.RUNNING), run(RunState.UNKNOWN), run(RunState.GONE)


@pytest.mark.parametrize("state", [RunState.PENDING, RunState.RUNNING])
def test_a_queued_load_whose_run_waits_is_extended_to_an_hour(state: RunState) -> None:
    assert decide(queued(has_run=True), run(state), LIMITS).action is Action.EXTEND
    late = queued(has_run=True, since_claim=60 * MINUTE, lease_over=5.0)
    assert decide(late, run(state), LIMITS).action is Action.EXTEND
    decision = decide(queued(has_run=True, since_claim=60 * MINUTE + 1), run(state), LIMITS)
    assert (decision.action, decision.reason) == (Action.END, EndReason.STUCK_IN_QUEUE)
    assert decision.message == "Cancelled - stuck in queue for >60 minutes"


def test_a_queued_load_without_run_ends_with_its_lease() -> None:
    assert decide(queued(lease_over=-1.0), None, LIMITS).action is Action.LEAVE
    decision = decide(queued(lease_over=1.0, since_claim=601.0), None, LIMITS)
    assert (decision.action, decision.reason) == (Action.END, EndReason.NOT_STARTED)
    assert decision.message == "Nothing started this load within 10 minutes of its claim."


@pytest.mark.parametrize("load", [queued(has_run=True), running(lease_over=1.0), running(lease_over=999.0)])
def test_an_ended_run_gives_its_own_reason(load: LiveLoad) -> None:
    ended = Run(state=RunState.ENDED, reason="Library failed.", termination_code="LIBRARY_INSTALLATION_ERROR")
    decision = decide(load, ended, LIMITS)
    assert (decision.action, decision.reason) == (Action.END, EndReason.RUN_ENDED)
    assert "Library failed." in decision.message
    assert decision.termination_code == "LIBRARY_INSTALLATION_ERROR"


@pytest.mark.parametrize(
    ("load", "when"),
    [(queued(has_run=True), "its loader started"), (running(), "its loader settled the load")],
)
def test_a_cancelled_run_cancels_its_load(load: LiveLoad, when: str) -> None:
    cancelled = Run(state=RunState.ENDED, reason="CANCELED: by a person", cancelled=True)
    decision = run_ended(load.status, cancelled)
    assert decision.reason is EndReason.RUN_CANCELLED
    assert decision.message == f"The run ended before {when}: CANCELED: by a person."


@pytest.mark.parametrize("known", [RUNNING, run(RunState.PENDING), None])
def test_a_short_silence_kills_nothing(known: Run | None) -> None:
    assert decide(running(lease_over=300.0), known, LIMITS).action is Action.LEAVE
    decision = decide(running(lease_over=301.0), known, LIMITS)
    assert (decision.action, decision.reason) == (Action.FENCE, EndReason.LEASE_EXPIRED)


def test_a_load_without_progress_is_fenced() -> None:
    assert decide(running(since_progress=600.0), RUNNING, LIMITS).action is Action.LEAVE
    decision = decide(running(since_progress=660.0), RUNNING, LIMITS)
    assert (decision.action, decision.reason) == (Action.FENCE, EndReason.NO_PROGRESS)
    assert decision.message == "No progress for 11 minutes."


def test_a_load_beyond_its_maximum_is_cancelled() -> None:
    assert decide(running(since_start=180 * MINUTE), RUNNING, LIMITS).action is Action.LEAVE
    decision = decide(running(since_start=180 * MINUTE + 1), RUNNING, LIMITS)
    assert (decision.action, decision.reason) == (Action.FENCE, EndReason.TIMED_OUT)
    assert decision.message == "Cancelled - exceeded 180 minute timeout"
    own = decide(running(since_start=31 * MINUTE, max_runtime_minutes=30), RUNNING, LIMITS)
    assert own.message == "Cancelled - exceeded 30 minute timeout"


@pytest.mark.parametrize(
    "load",
    [
        queued(has_run=True, lease_over=999.0, since_claim=61 * MINUTE),
        running(lease_over=3600.0),
        running(since_progress=3600.0),
        running(since_start=190 * MINUTE),
    ],
)
def test_what_nobody_can_ask_about_is_left_until_it_expires(load: LiveLoad) -> None:
    assert decide(load, UNKNOWN, LIMITS).action is Action.LEAVE
    old = LiveLoad(**{**vars(load), "since_claim": 240 * MINUTE + 1})
    decision = decide(old, UNKNOWN, LIMITS)
    assert decision.reason is EndReason.EXPIRED
    assert decision.action is (Action.END if load.status is RowStatus.QUEUED else Action.FENCE)


def test_a_queued_load_whose_run_does_not_exist_ends_with_its_lease() -> None:
    assert decide(queued(has_run=True, lease_over=-1.0), GONE, LIMITS).action is Action.LEAVE
    decision = decide(queued(has_run=True, lease_over=1.0, since_claim=601.0), GONE, LIMITS)
    assert (decision.action, decision.reason) == (Action.END, EndReason.RUN_GONE)
    assert decision.message == (
        "Nothing started this load within 10 minutes of its claim, "
        "and its workspace answers that its run does not exist."
    )


def test_a_loader_whose_run_does_not_exist_is_believed_while_it_is_heard_of() -> None:
    assert decide(running(lease_over=-1.0), GONE, LIMITS).action is Action.LEAVE
    assert decide(running(lease_over=300.0), GONE, LIMITS).action is Action.LEAVE
    decision = decide(running(lease_over=301.0), GONE, LIMITS)
    assert (decision.action, decision.reason) == (Action.FENCE, EndReason.LEASE_EXPIRED)
    assert decision.message == (
        "Its loader has not been heard of since its lease ended 5 minutes ago, "
        "and its workspace answers that its run does not exist."
    )
    assert decide(running(since_progress=660.0), GONE, LIMITS).reason is EndReason.NO_PROGRESS
    assert decide(running(since_start=999 * MINUTE), GONE, LIMITS).reason is EndReason.TIMED_OUT


def test_what_somebody_else_is_ending_is_left_until_that_expires() -> None:
    assert decide(running(reaping_over=-1.0, lease_over=999.0), RUNNING, LIMITS) == Decision(
        action=Action.LEAVE
    )
    assert decide(running(reaping_over=1.0, lease_over=999.0), None, LIMITS).action is Action.TAKE_OVER


def test_nobody_ends_a_queued_load_by_and_by() -> None:
    """Only a load in progress is fenced first; such a time on another was written by hand."""
    for reaping_over in (-1.0, 1.0):
        dead = queued(reaping_over=reaping_over, lease_over=1.0)
        assert decide(dead, None, LIMITS).reason is EndReason.NOT_STARTED
        waiting = queued(reaping_over=reaping_over, has_run=True)
        assert must_ask(waiting, LIMITS)
        assert decide(waiting, RUNNING, LIMITS).action is Action.EXTEND


def test_a_time_further_ahead_than_anybody_promises_keeps_no_load_alive() -> None:
    assert decide(running(reaping_over=-120.0), RUNNING, LIMITS).action is Action.LEAVE
    assert decide(running(reaping_over=-121.0), RUNNING, LIMITS).action is Action.TAKE_OVER
    assert decide(queued(lease_over=-1e11, since_claim=3_600.0), None, LIMITS).action is Action.LEAVE
    late = decide(queued(lease_over=-1e11, since_claim=3_601.0), None, LIMITS)
    assert (late.action, late.reason) == (Action.END, EndReason.NOT_STARTED)


DAY = 86_400.0


def test_a_lease_of_a_clock_that_was_set_back_is_put_right_before_anything_is_given_up() -> None:
    for load in (queued(lease_over=-DAY - 600), running(lease_over=-DAY - 60, since_start=-DAY + 5)):
        ahead = replace(load, since_claim=-DAY)
        for known in (None, RUNNING, GONE, UNKNOWN):
            assert decide(ahead, known, LIMITS).action is Action.EXTEND
    assert decide(running(since_claim=-DAY, since_start=-DAY), RUNNING, LIMITS).action is Action.LEAVE
    assert decide(queued(since_claim=-60.0, lease_over=-660.0), None, LIMITS).action is Action.LEAVE
    # Renewed by the clock as it is, for an hour.
    renewed = running(since_claim=-DAY, since_start=-DAY, lease_over=-3_600.0)
    assert decide(renewed, RUNNING, LIMITS).action is Action.LEAVE


def test_a_load_that_was_claimed_in_the_future_ends_by_its_lease() -> None:
    ahead = queued(since_claim=-DAY, lease_over=-1.0)
    assert decide(ahead, None, LIMITS).action is Action.LEAVE
    decision = decide(replace(ahead, lease_over=1.0), None, LIMITS)
    assert (decision.action, decision.reason) == (Action.END, EndReason.NOT_STARTED)
    assert decision.message == "Nothing started this load before its lease ended."
    waiting = replace(ahead, has_run=True)
    assert decide(replace(waiting, lease_over=60 * MINUTE), RUNNING, LIMITS).action is Action.LEAVE
    stuck = decide(replace(waiting, lease_over=60 * MINUTE + 1), RUNNING, LIMITS)
    assert stuck.reason is EndReason.STUCK_IN_QUEUE
    unseen = running(since_claim=-DAY, lease_over=240 * MINUTE)
    assert decide(unseen, UNKNOWN, LIMITS).action is Action.LEAVE
    decision = decide(replace(unseen, lease_over=240 * MINUTE + 1), UNKNOWN, LIMITS)
    assert (decision.action, decision.reason) == (Action.FENCE, EndReason.EXPIRED)
    assert "not settled 240 minutes after its lease ended, and" in decision.message
    silent = running(since_claim=-DAY, since_start=-DAY, since_progress=-DAY, lease_over=301.0)
    assert decide(silent, RUNNING, LIMITS).reason is EndReason.LEASE_EXPIRED


def test_the_api_is_asked_only_where_it_matters() -> None:
    assert must_ask(queued(has_run=True), LIMITS)
    assert not must_ask(queued(), LIMITS)
    assert not must_ask(running(), LIMITS)
    assert must_ask(running(lease_over=1.0), LIMITS)
    assert must_ask(running(since_progress=999.0), LIMITS)
    assert must_ask(running(since_start=999 * MINUTE), LIMITS)
    assert not must_ask(running(has_run=False, lease_over=999.0), LIMITS)
    assert not must_ask(running(reaping_over=1.0, lease_over=999.0), LIMITS)


def test_the_defaults_are_those_of_the_settings() -> None:
    settings = Settings()
    limits = ReapLimits.of_minutes(queued=settings.queued_minutes, progress=settings.progress_minutes)
    assert limits == ReapLimits()


def test_a_run_that_may_wait_for_hours_may_do_so_unseen() -> None:
    limits = ReapLimits.of_minutes(queued=240, progress=10)
    waiting = queued(has_run=True, since_claim=200 * MINUTE, max_runtime_minutes=30, lease_over=-1.0)
    assert decide(waiting, UNKNOWN, limits).action is Action.LEAVE
    late = replace(waiting, since_claim=271 * MINUTE)
    assert decide(late, UNKNOWN, limits).reason is EndReason.EXPIRED


def test_limits_cancel_and_accidents_fail() -> None:
    cancelled = {reason for reason in EndReason if reason.status is LoadStatus.CANCELLED}
    assert cancelled == {
        EndReason.STUCK_IN_QUEUE,
        EndReason.TIMED_OUT,
        EndReason.EXPIRED,
        EndReason.RUN_CANCELLED,
    }
    assert {reason for reason in EndReason if not reason.transient} == {
        EndReason.TIMED_OUT,
        EndReason.ROW_LOST,
    }


SECONDS = st.floats(-1_000, 100_000)
LOADS = st.builds(
    LiveLoad,
    status=st.sampled_from([RowStatus.QUEUED, RowStatus.IN_PROGRESS]),
    has_run=st.booleans(),
    max_runtime_minutes=st.integers(1, 1_000),
    since_claim=SECONDS,
    since_start=SECONDS,
    since_progress=SECONDS,
    lease_over=SECONDS,
    reaping_over=st.none() | SECONDS,
)


@given(LOADS, st.none() | st.builds(Run, state=st.sampled_from(list(RunState)), reason=st.text()))
def test_every_decision_can_be_carried_out(load: LiveLoad, known: Run | None) -> None:
    decision = decide(load, known, LIMITS)
    ends = decision.action in {Action.END, Action.FENCE}
    assert (decision.reason is not None) == ends
    assert bool(decision.message) == ends
    if load.status is RowStatus.QUEUED:
        assert decision.action in {Action.LEAVE, Action.EXTEND, Action.END}
    if load.since_claim >= 0 and load.status is RowStatus.IN_PROGRESS:
        assert decision.action is not Action.EXTEND


@given(LOADS, st.none() | st.builds(Run, state=st.sampled_from(list(RunState))), st.floats(0, 1e11))
def test_a_load_that_renews_is_not_given_up_where_the_clock_was_ahead(
    load: LiveLoad, known: Run | None, ahead: float
) -> None:
    """Claimed ``ahead`` of the clock as it is now, and renewed before or after that was set back."""
    late = {name: min(getattr(load, name), 0.0) - ahead for name in ("since_start", "since_progress")}
    for lease_over in (-60.0, -60.0 - ahead):
        living = replace(
            load,
            status=RowStatus.IN_PROGRESS,
            reaping_over=None,
            since_claim=-ahead,
            lease_over=lease_over,
            **late,
        )
        seen = known if must_ask(living, LIMITS) else RUNNING
        assert decide(living, seen, LIMITS).action in {Action.LEAVE, Action.EXTEND}


@given(LOADS)
def test_a_load_that_renews_and_progresses_in_time_is_left(load: LiveLoad) -> None:
    healthy = LiveLoad(
        **{
            **vars(load),
            "status": RowStatus.IN_PROGRESS,
            "reaping_over": None,
            "lease_over": -1.0,
            "since_progress": 10.0,
            "since_start": load.max_runtime_minutes * 60 - 1,
        }
    )
    assert decide(healthy, RUNNING if healthy.has_run else None, LIMITS).action is Action.LEAVE


def test_an_end_is_recorded_with_what_the_run_said() -> None:
    ended = Run(state=RunState.ENDED, reason="TIMEDOUT", cancelled=True, termination_code="CANCELED")
    failure = run_ended(RowStatus.IN_PROGRESS, ended).failure
    assert (failure.error, failure.phase, failure.transient) == (EndReason.RUN_CANCELLED, Phase.RUN, True)
    assert failure.message == "The run ended before its loader settled the load: TIMEDOUT."
    assert failure.termination_code == "CANCELED"
