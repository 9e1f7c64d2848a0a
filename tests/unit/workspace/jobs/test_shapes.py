"""Runs as the Jobs API shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.workspace.jobs.model import Run, Submission, TaskRun, TaskSpec, Times
from airflow_dataloader.workspace.jobs.shapes import PAGE, shape, shape_task
from airflow_dataloader.workspace.jobs.states import (
    End,
    LifeCycle,
    Stop,
    broken,
    exited,
    skipped,
    stopped,
    whole,
)

URL = "http://127.0.0.1:20000"


def run_of(tasks: int = 1, **values: Any) -> Run:
    specs = tuple(TaskSpec(key=f"t{n}", python_file="/a.py") for n in range(tasks))
    payload = {"tasks": [{"task_key": spec.key, "existing_cluster_id": "c"} for spec in specs]}
    life_cycle = values.get("life_cycle", LifeCycle.RUNNING)
    return Run(
        **{
            "run_id": 10,
            "submission": Submission(name="shop.orders", tasks=specs, payload=payload),
            "life_cycle": life_cycle,
            "times": Times(submitted=1000, started=2000),
            "tasks": tuple(
                TaskRun(
                    run_id=11 + n,
                    spec=spec,
                    life_cycle=life_cycle,
                    times=Times(submitted=1000, started=2500),
                    end=values.get("end"),
                )
                for n, spec in enumerate(specs)
            ),
        }
        | values
    )


def test_a_run_under_way() -> None:
    shown = shape(run_of(), URL)
    assert shown["state"] == {
        "life_cycle_state": "RUNNING",
        "state_message": "",
        "user_cancelled_or_timedout": False,
    }
    assert shown["status"] == {"state": "RUNNING"}
    assert (shown["run_id"], shown["run_name"]) == (10, "shop.orders")
    assert shown["run_page_url"] == f"{URL}/runs/10"
    assert (shown["start_time"], shown["end_time"], shown["run_duration"]) == (1000, 0, 0)
    (task,) = shown["tasks"]
    assert (task["run_id"], task["task_key"], task["existing_cluster_id"]) == (11, "t0", "c")
    assert task["setup_duration"] == 1500
    assert "next_page_token" not in shown


@pytest.mark.parametrize(
    ("end", "state", "result", "code", "kind", "by_will"),
    [
        (exited(0), "TERMINATED", "SUCCESS", "SUCCESS", "SUCCESS", False),
        (
            whole({"t": exited(1)}, None),
            "INTERNAL_ERROR",
            "FAILED",
            "RUN_EXECUTION_ERROR",
            "CLIENT_ERROR",
            False,
        ),
        (stopped(Stop.CANCEL), "TERMINATED", "CANCELED", "USER_CANCELED", "SUCCESS", True),
        (stopped(Stop.TIMEOUT), "TERMINATED", "TIMEDOUT", "CANCELED", "CLIENT_ERROR", True),
        (broken("x"), "INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", "INTERNAL_ERROR", False),
        (skipped("x"), "SKIPPED", None, "SKIPPED", "CLIENT_ERROR", False),
    ],
)
def test_an_ended_run(end: End, state: str, result: str | None, code: str, kind: str, by_will: bool) -> None:
    times = Times(submitted=1000, started=2000, ended=5000)
    shown = shape(run_of(life_cycle=end.life_cycle, end=end, times=times), URL)
    expected = {
        "life_cycle_state": state,
        "state_message": end.message,
        "user_cancelled_or_timedout": by_will,
    }
    assert shown["state"] == expected | ({"result_state": result} if result else {})
    assert shown["status"] == {
        "state": "TERMINATED",
        "termination_details": {"code": code, "type": kind, "message": end.message},
    }
    assert shown["run_duration"] == 4000


def test_a_run_that_waits_says_why() -> None:
    queued = shape(run_of(life_cycle=LifeCycle.QUEUED), URL)
    assert queued["status"]["queue_details"]["code"] == "ACTIVE_RUNS_LIMIT_REACHED"
    assert queued["state"]["queue_reason"]
    pending = shape(run_of(life_cycle=LifeCycle.PENDING, message="Spark is starting."), URL)
    assert pending["state"]["state_message"] == "Spark is starting."
    assert pending["tasks"][0]["state"]["state_message"] == "Spark is starting."


def test_tasks_come_page_by_page() -> None:
    run = run_of(2 * PAGE + 1)
    first, last = shape(run, URL), shape(run, URL, offset=2 * PAGE)
    assert (len(first["tasks"]), first["next_page_token"]) == (PAGE, str(PAGE))
    assert [task["task_key"] for task in last["tasks"]] == [f"t{2 * PAGE}"]
    assert "next_page_token" not in last
    assert "tasks" not in shape(run, URL, tasks=False)


def test_a_task_is_shown_as_a_run_of_its_own() -> None:
    run = run_of(2)
    failed = replace(run.tasks[1], end=exited(1), life_cycle=LifeCycle.TERMINATED)
    shown = shape_task(replace(run, tasks=(run.tasks[0], failed)), 12, URL)
    assert (shown["run_id"], shown["job_run_id"], shown["task_key"]) == (12, 10, "t1")
    assert shown["state"]["result_state"] == "FAILED"
    assert [task["run_id"] for task in shown["tasks"]] == [12]
