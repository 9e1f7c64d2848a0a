"""What the Jobs API's answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.core.run_api import Run, RunState
from airflow_dataloader.hooks.runs import bare_host, read_run, same_host


def answer(life_cycle: str, result: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    state = {"life_cycle_state": life_cycle, "result_state": result, "state_message": message}
    return {"run_id": 7, "state": state, **more}


@pytest.mark.parametrize(
    ("life_cycle", "state"),
    [
        ("QUEUED", RunState.PENDING),
        ("PENDING", RunState.PENDING),
        ("BLOCKED", RunState.PENDING),
        ("WAITING_FOR_RETRY", RunState.PENDING),
        ("RUNNING", RunState.RUNNING),
        ("TERMINATING", RunState.RUNNING),
        ("A_STATE_OF_NEXT_YEAR", RunState.RUNNING),
        ("", RunState.RUNNING),
    ],
)
def test_a_run_goes_on_until_the_api_says_that_it_is_over(life_cycle: str, state: RunState) -> None:
    assert read_run(answer(life_cycle)) == Run(state=state)


@pytest.mark.parametrize(
    ("life_cycle", "result", "message", "reason", "cancelled"),
    [
        ("TERMINATED", "SUCCESS", "", "SUCCESS", False),
        ("TERMINATED", "FAILED", "Workload failed", "FAILED: Workload failed", False),
        ("TERMINATED", "CANCELED", "by a person", "CANCELED: by a person", True),
        ("TERMINATED", "TIMEDOUT", "", "TIMEDOUT", True),
        ("SKIPPED", "", "too many", "SKIPPED: too many", False),
        ("INTERNAL_ERROR", "FAILED", "no cluster", "FAILED: no cluster", False),
        ("INTERNAL_ERROR", "", "", "INTERNAL_ERROR", False),
    ],
)
def test_an_ended_run_says_how(
    life_cycle: str, result: str, message: str, reason: str, cancelled: bool
) -> None:
    run = read_run(answer(life_cycle, result, message))
    assert (run.state, run.reason, run.cancelled) == (RunState.ENDED, reason, cancelled)


@pytest.mark.parametrize("odd", [{"state": "odd"}, {"state": []}, {"state": None}, {}])
def test_a_state_that_cannot_be_read_is_no_end(odd: dict[str, Any]) -> None:
    assert read_run(odd) == Run(state=RunState.RUNNING)


@pytest.mark.parametrize("odd", ["odd", [], {"termination_details": "odd"}, None])
def test_an_end_counts_without_its_details(odd: Any) -> None:
    assert read_run(answer("TERMINATED", "FAILED", status=odd)).reason == "FAILED"


@pytest.mark.parametrize("odd", [[], None, "odd", 7])
def test_what_is_no_run_is_no_answer(odd: Any) -> None:
    with pytest.raises(ValueError, match="no run"):
        read_run(odd)


def test_a_termination_code_is_kept() -> None:
    details = {"code": "CLUSTER_ERROR", "type": "CLOUD_FAILURE", "message": "No capacity."}
    run = read_run(answer("INTERNAL_ERROR", status={"termination_details": details}))
    assert (run.termination_code, run.reason) == ("CLUSTER_ERROR", "INTERNAL_ERROR: No capacity.")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("adb-1.azuredatabricks.net", "https://ADB-1.azuredatabricks.net/", True),
        ("adb-1.azuredatabricks.net", "adb-2.azuredatabricks.net", False),
        ("127.0.0.1:8080", "localhost", True),
        ("http://[::1]:9", "127.0.0.1", True),
        (None, "anywhere", True),
    ],
)
def test_a_workspace_has_one_name_however_it_is_written(one: str | None, other: str, same: bool) -> None:
    assert same_host(one, other) is same


def test_a_host_is_bare() -> None:
    assert bare_host("https://w.example:443/path") == "w.example"
