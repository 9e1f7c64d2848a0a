"""The ends of tasks and runs, in the Jobs API's words."""

from __future__ import annotations

import pytest

from airflow_dataloader.workspace.jobs.states import (
    SUCCEEDED,
    Code,
    End,
    LifeCycle,
    Result,
    Stop,
    broken,
    exited,
    skipped,
    stopped,
    upstream,
    whole,
)


@pytest.mark.parametrize(
    ("end", "result", "code", "kind"),
    [
        (exited(0), "SUCCESS", "SUCCESS", "SUCCESS"),
        (exited(1), "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
        (exited(137), "FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
        (stopped(Stop.CANCEL), "CANCELED", "USER_CANCELED", "SUCCESS"),
        (stopped(Stop.TIMEOUT), "TIMEDOUT", "CANCELED", "CLIENT_ERROR"),
        (stopped(Stop.SHUTDOWN), "CANCELED", "CANCELED", "CLIENT_ERROR"),
        (broken("gone"), "FAILED", "INTERNAL_ERROR", "INTERNAL_ERROR"),
        (broken("no file", Code.RESOURCE_NOT_FOUND), "FAILED", "RESOURCE_NOT_FOUND", "CLIENT_ERROR"),
    ],
)
def test_every_end_has_its_words(end: End, result: str, code: str, kind: str) -> None:
    assert (end.result, end.code, end.code.type) == (result, code, kind)


def test_a_run_is_what_its_tasks_are() -> None:
    assert whole({"a": SUCCEEDED, "b": SUCCEEDED}, None) is SUCCEEDED
    end = whole({"a": SUCCEEDED, "b": exited(1), "c": upstream(exited(1))}, None)
    assert (end.life_cycle, end.result) == (LifeCycle.INTERNAL_ERROR, Result.FAILED)
    assert end.message == "Task b failed with message: Workload failed, see run output for details."


def test_a_run_that_was_stopped_says_so() -> None:
    ends = {"a": stopped(Stop.CANCEL), "b": upstream(stopped(Stop.CANCEL))}
    assert whole(ends, Stop.CANCEL) == stopped(Stop.CANCEL)
    assert whole({"a": exited(130)}, Stop.TIMEOUT) == stopped(Stop.TIMEOUT)


def test_a_stop_that_came_too_late_changes_nothing() -> None:
    assert whole({"a": SUCCEEDED}, Stop.CANCEL) is SUCCEEDED


def test_a_task_whose_own_limit_passed_is_timed_out_and_so_is_its_run() -> None:
    end = whole({"a": stopped(Stop.TIMEOUT)}, None)
    assert (end.life_cycle, end.result) == (LifeCycle.INTERNAL_ERROR, Result.TIMEDOUT)


def test_a_task_behind_another_that_did_not_succeed_is_skipped() -> None:
    assert upstream(exited(1)).result is Result.UPSTREAM_FAILED
    assert upstream(stopped(Stop.CANCEL)).result is Result.UPSTREAM_CANCELED
    assert upstream(upstream(stopped(Stop.CANCEL))).result is Result.UPSTREAM_CANCELED
    assert skipped("no").life_cycle is LifeCycle.SKIPPED
