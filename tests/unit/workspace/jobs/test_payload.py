"""What ``runs/submit`` understands, and what it says of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.workspace.api_error import ApiError
from airflow_dataloader.workspace.jobs.payload import number, read_submission

SCRIPT = {"python_file": "/Workspace/a.py", "parameters": ["1:2"]}


def task(**more: Any) -> dict[str, Any]:
    return {"task_key": "t", "spark_python_task": SCRIPT, "existing_cluster_id": "c"} | more


def test_tasks_with_everything() -> None:
    found = read_submission(
        {
            "run_name": "shop.orders",
            "idempotency_token": "x" * 64,
            "timeout_seconds": "600",
            "queue": {"enabled": True},
            "tasks": [task(), task(task_key="u", depends_on=[{"task_key": "t"}], timeout_seconds=60)],
        }
    )
    assert (found.name, found.idempotency_token, found.timeout, found.queued) == (
        "shop.orders",
        "x" * 64,
        600,
        True,
    )
    first, second = found.tasks
    assert (first.python_file, first.parameters, first.timeout) == ("/Workspace/a.py", ("1:2",), 0)
    assert (second.depends_on, second.timeout) == (("t",), 60)
    assert found.payload["tasks"][0]["existing_cluster_id"] == "c"


def test_the_older_shape_is_one_task() -> None:
    found = read_submission({"spark_python_task": SCRIPT, "new_cluster": {"num_workers": 1}})
    assert [one.key for one in found.tasks] == ["task"]
    assert found.payload["tasks"][0]["new_cluster"] == {"num_workers": 1}
    assert found.name == "Untitled"
    assert not found.queued


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "only spark_python_task runs here"),
        ({"tasks": []}, "'tasks' must be"),
        ({"tasks": "x"}, "'tasks' must be"),
        ({"tasks": [1]}, "A task must be an object"),
        ({"tasks": [task(task_key="")]}, "needs a task_key"),
        ({"tasks": [task(), task()]}, "a task_key of its own"),
        ({"tasks": [{"task_key": "n", "notebook_task": {}}]}, "Task n is a notebook_task"),
        ({"tasks": [task(spark_python_task={"python_file": "a.py"})]}, "begins with '/'"),
        ({"tasks": [task(spark_python_task=SCRIPT | {"source": "GIT"})]}, "begins with '/'"),
        ({"tasks": [task(spark_python_task=SCRIPT | {"parameters": [1]})]}, "a list of texts"),
        ({"tasks": [task(spark_python_task=SCRIPT | {"parameters": ["x" * 10_000]})]}, "10000 bytes"),
        ({"tasks": [task(depends_on=[{"task_key": "t"}])]}, "depends on itself"),
        ({"tasks": [task(depends_on=[{"task_key": "gone"}])]}, "does not exist"),
        ({"tasks": [task(depends_on=["t"])]}, "depends_on must be"),
        ({"tasks": [task(max_retries=1)]}, "max_retries must be 0"),
        ({"tasks": [task(run_if="ALL_DONE")]}, "run_if must be ALL_SUCCESS"),
        ({"tasks": [task()], "idempotency_token": "x" * 65}, "at most 64 characters"),
        ({"tasks": [task()], "idempotency_token": 7}, "at most 64 characters"),
        ({"tasks": [task()], "timeout_seconds": "soon"}, "timeout_seconds must be a whole number"),
        ({"tasks": [task()], "timeout_seconds": float("inf")}, "timeout_seconds must be a whole number"),
        ({"tasks": [task()], "timeout_seconds": -1}, "timeout_seconds must be between"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(body: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        read_submission(body)
    assert caught.value.status == 400


def test_a_number_that_no_database_holds_is_refused() -> None:
    with pytest.raises(ApiError):
        number({"run_id": 10**30}, "run_id")
