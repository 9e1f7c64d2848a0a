"""Faults, as Airflow's hook and plain HTTP meet them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.workspace.conftest import Start, Workspace
from tests.waiting import until

if TYPE_CHECKING:
    from airflow.providers.databricks.hooks.databricks import DatabricksHook


def order(workspace: Workspace, *faults: dict[str, Any]) -> None:
    answer = workspace.http.post("/faults", json={"faults": list(faults)})
    assert answer.status_code == 200, answer.text


def coming(workspace: Workspace) -> list[Any]:
    return list(workspace.http.get("/faults").json()["faults"])


def body(workspace: Workspace, token: str) -> dict[str, Any]:
    return {"tasks": [workspace.task("sleep", "0")], "idempotency_token": token}


def test_the_hook_gets_through_refusals_and_lost_answers(workspace: Workspace, hook: DatabricksHook) -> None:
    for number, fault in enumerate(
        (
            {"kind": "status", "status": 429, "seconds": 0},
            {"kind": "status", "status": 500},
            {"kind": "lost_answer"},
        )
    ):
        order(workspace, {"path": "runs/submit", "times": 2, **fault})
        run_id = hook.submit_run(body(workspace, f"through-{number}"))
        assert coming(workspace) == []
        assert hook.submit_run(body(workspace, f"through-{number}")) == run_id
        workspace.wait(run_id)
        assert hook.get_run_state(run_id).is_successful


def test_a_lost_answer_is_no_answer_at_all_though_the_run_is_there(workspace: Workspace) -> None:
    order(workspace, {"kind": "lost_answer", "path": "runs/submit"})
    with pytest.raises(httpx.RemoteProtocolError):
        workspace.submit_body(body(workspace, "lost"))
    newest = workspace.http.get("/api/2.2/jobs/runs/list").json()["runs"][0]
    assert workspace.submit_body(body(workspace, "lost")) == newest["run_id"]


def test_a_refusal_says_when_to_come_again(workspace: Workspace) -> None:
    order(workspace, {"kind": "status", "status": 429, "seconds": 7, "path": "runs/list"})
    answer = workspace.http.get("/api/2.2/jobs/runs/list")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error_code"] == "RESOURCE_EXHAUSTED"
    order(workspace, {"kind": "status", "status": 503, "path": "runs/list"})
    assert workspace.http.get("/api/2.2/jobs/runs/list").json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert workspace.http.get("/api/2.2/jobs/runs/list").status_code == 200


def test_latency_delays_the_answer_and_not_others(workspace: Workspace) -> None:
    order(workspace, {"kind": "latency", "seconds": 8.0, "path": "runs/list"})
    with ThreadPoolExecutor(1) as beside:
        late = beside.submit(workspace.http.get, "/api/2.2/jobs/runs/list")
        until(lambda: coming(workspace) == [])
        assert workspace.http.get("/api/2.2/jobs/runs/list").status_code == 200
        assert not late.done(), "the second answer came before the first"
        assert late.result().status_code == 200


@pytest.mark.parametrize(
    ("kind", "life_cycle", "result"),
    [
        ("skipped", "SKIPPED", None),
        ("internal_error", "INTERNAL_ERROR", "FAILED"),
        ("timed_out", "TERMINATED", "TIMEDOUT"),
        ("canceled", "TERMINATED", "CANCELED"),
    ],
)
def test_a_run_can_be_made_to_end_without_having_run(
    workspace: Workspace, kind: str, life_cycle: str, result: str | None
) -> None:
    order(workspace, {"kind": kind})
    run = workspace.get(workspace.submit("sleep", "0"))
    assert (run["state"]["life_cycle_state"], run["state"].get("result_state")) == (life_cycle, result)
    assert workspace.wait(workspace.submit("sleep", "0"))["state"]["result_state"] == "SUCCESS"


def test_a_run_can_be_lost(workspace: Workspace) -> None:
    order(workspace, {"kind": "lost_run"})
    run_id = workspace.submit_body(body(workspace, "gone"))
    answer = workspace.http.get("/api/2.2/jobs/runs/get", params={"run_id": run_id})
    assert (answer.status_code, answer.json()["message"]) == (400, f"Run {run_id} does not exist.")


def test_faults_can_be_cleared(workspace: Workspace) -> None:
    order(workspace, {"kind": "status", "path": "runs/list", "times": 9})
    assert workspace.http.delete("/faults").json() == {"faults": []}
    assert workspace.http.get("/api/2.2/jobs/runs/list").status_code == 200
    for wrong in ({}, {"faults": [1]}, {"faults": [{"kind": "x"}]}):
        assert workspace.http.post("/faults", json=wrong).status_code == 400


def test_there_are_none_where_nobody_asked_for_them(start: Start) -> None:
    assert start().http.post("/faults", json={"faults": []}).status_code == 404
