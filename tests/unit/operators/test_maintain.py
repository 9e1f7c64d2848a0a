"""Which run a try of the maintenance task waits for, and which it ends."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from airflow_dataloader.operators.maintain import MaintainOperator
from airflow_dataloader.triggers.maintain import MaintainTrigger

TOKEN = "dapi-swordfish"


@dataclass
class Api:
    """A workspace whose runs do not end by themselves."""

    #: Token → number of the run.
    runs: dict[str, int] = field(default_factory=dict)
    cancelled: list[int] = field(default_factory=list)
    #: What happens while it answers.
    meanwhile: Callable[[], None] = lambda: None
    #: What it answers where a run is to be ended.
    refusal: Exception | None = None
    databricks_conn: Connection = field(
        default_factory=lambda: Connection(
            conn_id="databricks_default", conn_type="databricks", password=TOKEN
        )
    )

    def submit_run(self, payload: dict[str, Any]) -> int:
        self.meanwhile()
        return self.runs.setdefault(payload["idempotency_token"], len(self.runs) + 1)

    def get_job_id(self, run_id: int) -> int:
        return run_id

    def get_run_page_url(self, run_id: int) -> str:
        return f"http://workspace/runs/{run_id}"

    def get_run(self, run_id: int) -> dict[str, Any]:
        return {"state": {"life_cycle_state": "RUNNING"}}

    def cancel_run(self, run_id: int) -> None:
        self.cancelled.append(run_id)
        if self.refusal is not None:
            raise self.refusal


@dataclass
class Airflow:
    """What Airflow tells a try of its task."""

    run_id: str = "monday"
    clear_number: int = 0
    try_number: int = 1
    max_tries: int = 2
    #: Of the task, when it is asked for.
    state: str | None = "running"

    def context(self) -> Any:
        task = SimpleNamespace(
            dag_id="dataloader_maintain",
            run_id=self.run_id,
            task_id="maintain",
            map_index=-1,
            try_number=self.try_number,
            max_tries=self.max_tries,
            xcom_push=lambda **_: None,
            get_task_states=lambda **_: {self.run_id: {"maintain": self.state}},
        )
        return {"ti": task, "dag_run": SimpleNamespace(clear_number=self.clear_number, start_date=None)}


def operator(api: Api) -> MaintainOperator:
    made = MaintainOperator(task_id="maintain", retries=2)
    # In place of what leads to a workspace.
    made.__dict__["_hook"] = api
    return made


def waits_for(api: Api, airflow: Airflow) -> int:
    with pytest.raises(TaskDeferred) as deferred:
        operator(api).execute(airflow.context())
    trigger = deferred.value.trigger
    assert isinstance(trigger, MaintainTrigger)
    assert trigger.hold_seconds > 0
    run_id: int = trigger.run_id
    return run_id


def test_a_retry_finds_the_run_that_was_started_before() -> None:
    api = Api()
    assert {waits_for(api, Airflow(try_number=number)) for number in (1, 2, 3)} == {1}


def test_a_cleared_task_and_another_day_start_runs_of_their_own() -> None:
    api = Api()
    first = waits_for(api, Airflow())
    # Cleared while it ran, which leaves max_tries and the run's start as they were; then while nothing ran.
    second = waits_for(api, Airflow(clear_number=1, try_number=2))
    third = waits_for(api, Airflow(clear_number=2, try_number=3, max_tries=4))
    assert waits_for(api, Airflow(clear_number=2, try_number=4, max_tries=4)) == third
    assert len({first, second, third, waits_for(api, Airflow(run_id="tuesday"))}) == 4


def killed(airflow: Airflow, refusal: Exception | None = None) -> tuple[Api, Exception]:
    """Ask for the end of a try while it submits its run; return what it did to the run, and how it ended."""
    api = Api(refusal=refusal)
    task = operator(api)
    api.meanwhile = task.on_kill
    with pytest.raises(AirflowException) as ended:
        task.execute(airflow.context())
    assert list(api.runs.values()) == [1]
    return api, ended.value


@pytest.mark.parametrize("state", ["running", "up_for_retry", None])
def test_a_run_that_a_retry_will_wait_for_goes_on(state: str | None) -> None:
    api, ended = killed(Airflow(state=state))
    assert api.cancelled == []
    assert not isinstance(ended, AirflowFailException)
    assert waits_for(api, Airflow(try_number=2)) == 1


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_person_s_mark_ends_the_run(state: str) -> None:
    api, ended = killed(Airflow(state=state))
    assert api.cancelled == [1]
    assert isinstance(ended, AirflowFailException)


@pytest.mark.parametrize("airflow", [Airflow(state="restarting"), Airflow(try_number=3)])
def test_a_run_that_no_try_will_look_for_is_ended(airflow: Airflow) -> None:
    api, ended = killed(airflow)
    assert api.cancelled == [1]
    assert not isinstance(ended, AirflowFailException)


def test_a_run_that_cannot_be_ended_is_told_without_a_secret() -> None:
    refusal = ValueError(f"Invalid header value b'Bearer {TOKEN}\\n'")
    _, ended = killed(Airflow(state="failed"), refusal)
    told = "".join(traceback.format_exception(ended))
    assert "Bearer ***" in told
    assert TOKEN not in told
