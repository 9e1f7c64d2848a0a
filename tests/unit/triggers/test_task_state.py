"""What Airflow says of a task, and which of its calls of ``on_kill`` may end a load by it."""

from __future__ import annotations

import pytest

from airflow_dataloader.triggers.task_state import TaskAddress, are_to_run, is_over, was_cleared

TASK = TaskAddress(dag_id="d", airflow_run="r", task_id="load", map_index=3)


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ("failed", True),
        ("success", True),
        ("skipped", True),
        ("removed", True),
        # Cleared, and not yet looked at by the scheduler.
        (None, False),
        ("scheduled", False),
        ("queued", False),
        ("running", False),
        ("restarting", False),
        ("up_for_retry", False),
        # Cleared and deferred again already, or moved to another triggerer.
        ("deferred", False),
    ],
)
def test_only_a_task_that_is_over_takes_its_load_along(state: str | None, over: bool) -> None:
    assert is_over({"r": {"load_3": state}}, TASK) is over


def test_a_task_that_is_gone_takes_its_load_along() -> None:
    assert is_over({}, TASK)
    assert is_over({"r": {"load_2": "deferred"}}, TASK)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"load": None}, True),
        ({"load_0": None, "load_1": "removed"}, True),
        ({"load_0": "running", "load_1": None}, True),
        ({"load": "skipped"}, False),
        ({"load": "upstream_failed"}, False),
        ({"load_0": None, "load_1": "success"}, False),
        ({"load_0": "removed"}, False),
        ({}, False),
    ],
)
def test_tasks_are_to_run_where_none_is_over(states: dict[str, str | None], expected: bool) -> None:
    assert are_to_run({"r": states}, "r") is expected
    assert not are_to_run({"r": states}, "another")


def test_a_task_that_is_cleared_while_it_runs_restarts() -> None:
    assert was_cleared({"r": {"load_3": "restarting"}}, TASK)
    for states in (
        {},
        {"r": {"load_2": "restarting"}},
        {"r": {"load_3": None}},
        {"r": {"load_3": "running"}},
    ):
        assert not was_cleared(states, TASK)


@pytest.mark.parametrize(("map_index", "key", "asked"), [(3, "load_3", 3), (-1, "load", None)])
def test_a_task_that_is_not_mapped_is_asked_for_by_its_own_name(
    map_index: int, key: str, asked: int | None
) -> None:
    task = TaskAddress(dag_id="d", airflow_run="r", task_id="load", map_index=map_index)
    assert task.key == key
    assert task.query == {"dag_id": "d", "run_ids": ["r"], "task_ids": ["load"], "map_index": asked}
