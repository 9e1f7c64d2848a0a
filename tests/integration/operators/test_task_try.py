"""A try whose load has a run already, or gets one meanwhile: real tasks, and loaders of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from airflow.models.dagrun import DagRun
from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from airflow.utils.types import DagRunType
from sqlalchemy import Engine

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.operators.links import dag_page
from airflow_dataloader.operators.load import LoadOperator
from tests.airflow_db import Connections, dag
from tests.airflow_stand import SCRIPT, Workspace, workspace_at
from tests.factories import add_source
from tests.faults.proxy import Fault, Plan, Proxy, proxied
from tests.integration.control.drive import due_row, load, loads_of, row
from tests.no_spark import NoSpark
from tests.waiting import until

_days = count(1)


@pytest.fixture
def workspace(
    tmp_path: Path,
    airflow_db: str,
    control_url: str,
    connections: Connections,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workspace]:
    """A workspace that both of Airflow's connections lead to, for runs without Spark."""
    monkeypatch.setenv("AIRFLOW__DATALOADER__POLL_SECONDS", "1")
    monkeypatch.setattr("airflow_dataloader.dag_factory.load._RETRY_DELAY", timedelta(0))
    with workspace_at(tmp_path, NoSpark()) as running:
        connections.control(control_url)
        connections.databricks(running.url, running.token)
        yield running


@pytest.fixture
def long_address(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address of Airflow's own that leaves its pages no short one."""
    address = f"https://airflow.example/{'a' * 500}"
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", address)
    return address


@pytest.fixture
def day() -> datetime:
    """The logical date of a run of the load DAG that no other test has."""
    return datetime(2025, 1, next(_days), tzinfo=UTC)


@pytest.fixture
def claimed(control: Engine, day: datetime) -> Claimed:
    """The load that the run's claim will find that it has claimed."""
    add_source(control, "shop")
    due_row(control)
    run_id = DagRun.generate_run_id(run_type=DagRunType.MANUAL, logical_date=day, run_after=day)
    (found,) = claim(control, airflow_run=run_id, airflow_base_url=dag_page("dataloader_load"))
    return found


@pytest.fixture
def submit(workspace: Workspace, tmp_path: Path) -> Callable[..., int]:
    """Return what starts a run of the test's own."""
    script = tmp_path / "task.py"
    script.write_text(SCRIPT)
    return lambda *parameters: workspace.submit(script, *parameters)


@pytest.fixture
def between(control_url: str, workspace: Workspace, connections: Connections) -> Iterator[Proxy]:
    """What stands between Airflow and its control database."""
    with proxied(control_url) as (proxy, url):
        connections.control(url)
        yield proxy


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do ``work`` in a thread beside the block."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def settled_when_tried(control: Engine, claimed: Claimed, **run: Any) -> Iterator[None]:
    """Start the load as a loader does, and let it succeed once a try answers for it."""
    started = lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n", **run)

    def settle_it() -> None:
        until(lambda: load(control, claimed.metadata_id)["submit_token"])
        settle.succeed(control, started, receipt=Receipt(), watermark=None)

    with meanwhile(settle_it):
        yield


def outcome(day: datetime) -> tuple[str, int]:
    """Return how the load's task of a run ends, and with which try."""
    run: Any = dag().test(logical_date=day, run_after=day)
    (task,) = [ti for ti in run.get_task_instances() if ti.task_id == "load"]
    return str(task.state), task.try_number


def a_try(
    control: Engine, claimed: Claimed, *, number: int = 1, state: str = "running"
) -> tuple[LoadOperator, Any]:
    """Return the operator of one try of the load's task, and the context that it is executed in."""
    run_id = load(control, claimed.metadata_id)["airflow_run"]
    task = SimpleNamespace(
        id=str(uuid4()),
        dag_id="dataloader_load",
        run_id=run_id,
        task_id="load",
        map_index=0,
        try_number=number,
        max_tries=2,
        log_url="http://airflow.example/log",
        xcom_push=lambda **_: None,
        get_task_states=lambda **_: {run_id: {"load_0": state}},
    )
    operator = LoadOperator(task_id="load", retries=2, load={**asdict(claimed), "label": "items"})
    return operator, {"ti": task}


def when_submitted(monkeypatch: pytest.MonkeyPatch, operator: LoadOperator, work: Callable[[], None]) -> None:
    """Have ``work`` done once the operator's request is answered, and before the answer is acted upon."""
    submit = operator.submit_job

    def submit_job(context: Any) -> int:
        try:
            return submit(context)
        finally:
            work()

    monkeypatch.setattr(operator, "submit_job", submit_job)


def test_a_load_that_runs_is_waited_for_and_not_submitted_again(
    control: Engine, claimed: Claimed, workspace: Workspace, submit: Callable[..., int], day: datetime
) -> None:
    """The try before has submitted and was lost. What its successor is refused says nothing of that run."""
    run_id = submit("sleep", "600")
    workspace.order("status", path="runs/submit", status=403, times=10)
    with settled_when_tried(control, claimed, databricks_run=str(run_id), workspace_host=workspace.url):
        assert outcome(day) == ("success", 1)
    assert len(workspace.runs()) == 1


def test_a_load_whose_run_waits_for_its_cluster_ends_with_that_run(
    control: Engine, claimed: Claimed, workspace: Workspace, submit: Callable[..., int], day: datetime
) -> None:
    run_id = str(submit("exit", "3"))
    update_run_tracking(
        control, claimed.metadata_id, claimed.epoch, databricks_run=run_id, workspace_host=workspace.url
    )
    workspace.order("status", path="runs/submit", status=403, times=10)
    assert outcome(day) == ("failed", 1)
    assert "Workload failed" in load(control, claimed.metadata_id)["log_message"]


@pytest.mark.parametrize("run", [{}, {"databricks_run": "7", "workspace_host": "adb-1.azuredatabricks.net"}])
def test_a_load_that_runs_elsewhere_is_waited_for_by_its_row(
    control: Engine, claimed: Claimed, workspace: Workspace, day: datetime, run: dict[str, str]
) -> None:
    with settled_when_tried(control, claimed, **run):
        assert outcome(day) == ("success", 1)
    assert workspace.runs() == []
    assert load(control, claimed.metadata_id)["databricks_run"] == run.get("databricks_run")


def test_a_run_whose_workspace_cannot_be_told_is_not_called_another_s(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    day: datetime,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def away(hook: DatabricksHook) -> str:
        raise AirflowException("The connection is not told just now.")

    monkeypatch.setattr(DatabricksHook, "host", property(away))
    with settled_when_tried(control, claimed, databricks_run="7", workspace_host=workspace.url):
        assert outcome(day) == ("success", 1)
    said = str(capfd.readouterr())
    assert "Its run 7 is not watched, as its connection cannot be read" in said
    assert "Its run 7 is one of" not in said


def test_an_address_that_is_not_told_costs_no_try(
    control: Engine, claimed: Claimed, workspace: Workspace, day: datetime
) -> None:
    workspace.order("skipped")
    workspace.order("status", path="runs/get", status=403)
    assert outcome(day) == ("failed", 1)
    assert "A fault was ordered" in load(control, claimed.metadata_id)["log_message"]


def test_an_address_of_airflow_s_that_is_too_long_is_left_out(
    long_address: str, control: Engine, claimed: Claimed, workspace: Workspace, day: datetime
) -> None:
    workspace.order("skipped")
    assert outcome(day) == ("failed", 1)
    (submitted,) = workspace.runs()
    assert load(control, claimed.metadata_id)["databricks_run"] == str(submitted["run_id"])
    kept = row(control, claimed.config_id)
    assert long_address not in (kept["last_airflow_run"] or "")
    assert kept["last_databricks_run"] == submitted["run_page_url"]


def test_a_token_with_a_line_end_is_not_told_with_the_refusal(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    connections: Connections,
    day: datetime,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As it is copied from a file. What refuses to send it quotes the whole header."""
    monkeypatch.setattr("airflow_dataloader.dag_factory.load._RETRIES", 0)
    connections.databricks(workspace.url, f"{workspace.token}\n")
    assert outcome(day) == ("failed", 1)
    said = load(control, claimed.metadata_id)["log_message"]
    assert "could not be submitted" in said
    assert "Bearer ***" in said
    told = [
        said,
        str(load(control, claimed.metadata_id)),
        str(row(control, claimed.config_id)),
        capfd.readouterr(),
    ]
    assert not any(workspace.token in str(text) for text in told)


def test_a_token_with_a_line_end_is_not_told_by_a_try_that_submits_nothing(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    submit: Callable[..., int],
    connections: Connections,
    day: datetime,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It was changed after the try before had submitted."""
    run_id = str(submit("sleep", "600"))
    connections.databricks(workspace.url, f"{workspace.token}\n")
    with settled_when_tried(control, claimed, databricks_run=run_id, workspace_host=workspace.url):
        assert outcome(day) == ("success", 1)
    said = str(capfd.readouterr())
    assert f"The address of run {run_id} is not shown" in said
    assert "Bearer ***" in said
    assert workspace.token not in said


def test_a_loader_that_starts_while_its_submission_is_refused_is_waited_for(
    control: Engine, claimed: Claimed, workspace: Workspace, day: datetime
) -> None:
    workspace.order("latency", path="runs/submit", seconds=10)
    workspace.order("status", path="runs/submit", status=403)

    def start_and_succeed() -> None:
        until(lambda: load(control, claimed.metadata_id)["submit_token"])
        started = lease.start(control, claimed.metadata_id, claimed.epoch, nonce="n")
        settle.succeed(control, started, receipt=Receipt(), watermark=None)

    with meanwhile(start_and_succeed):
        assert outcome(day) == ("success", 1)


@pytest.mark.parametrize("refused", [False, True])
def test_a_try_that_a_person_ends_while_it_submits_ends_its_load_and_its_run(
    control: Engine, claimed: Claimed, workspace: Workspace, refused: bool
) -> None:
    """Where the API does not end the run, the load is over all the same."""
    operator, context = a_try(control, claimed, state="failed")
    if refused:
        workspace.order("status", path="runs/cancel", status=403)
    operator.on_kill()
    with pytest.raises(AirflowFailException):
        operator.execute(context)
    assert load(control, claimed.metadata_id)["load_status"] == "Cancelled"
    (submitted,) = workspace.runs()
    if not refused:
        until(lambda: workspace.run(submitted["run_id"])["state"]["life_cycle_state"] == "TERMINATED")
        assert workspace.run(submitted["run_id"])["state"]["result_state"] == "CANCELED"


@pytest.mark.parametrize("refused", [False, True])
def test_a_try_that_stood_still_leaves_the_load_to_the_newer_one(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    refused: bool,
) -> None:
    """Airflow has given it up for dead while its request was under way."""
    operator, context = a_try(control, claimed)
    ids = (claimed.metadata_id, claimed.epoch)
    if refused:
        workspace.order("status", path="runs/submit", status=403)

    def overtake() -> None:
        update_run_tracking(control, *ids, airflow_task="newer/2", databricks_run="7", workspace_host="other")

    when_submitted(monkeypatch, operator, overtake)
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    record = load(control, claimed.metadata_id)
    kept = (record["load_status"], record["airflow_task"], record["databricks_run"], record["workspace_host"])
    assert kept == ("Queued", "newer/2", "7", "other")


def back_after(between: Proxy, failures: int) -> Callable[[], None]:
    """Return what brings the control database back after so many connections have found it away."""

    def bring_back() -> None:
        met = between.met
        until(lambda: between.met >= met + failures)
        between.plan = Plan()

    return bring_back


def take_away(between: Proxy) -> None:
    between.plan = Plan(Fault.AWAY)


def test_a_control_database_that_is_away_as_a_try_begins_is_waited_for(
    control: Engine, claimed: Claimed, workspace: Workspace, between: Proxy
) -> None:
    operator, context = a_try(control, claimed)
    take_away(between)
    with meanwhile(back_after(between, 3)), pytest.raises(TaskDeferred):
        operator.execute(context)
    (submitted,) = workspace.runs()
    record = load(control, claimed.metadata_id)
    assert (record["load_status"], record["databricks_run"]) == ("Queued", str(submitted["run_id"]))


def test_a_control_database_that_goes_away_under_a_cleared_task_s_claim_is_waited_for(
    control: Engine, claimed: Claimed, workspace: Workspace, between: Proxy
) -> None:
    """Its answer is lost, and asked for again."""
    cancel(control, claimed.metadata_id, "by a person")
    operator, context = a_try(control, claimed, number=2)
    context["ti"].max_tries = 3
    between.plan = Plan(Fault.RESET, asked=b"control.queue_rows")
    with pytest.raises(TaskDeferred):
        operator.execute(context)
    assert between.met == 1
    assert [one["load_status"] for one in loads_of(control, claimed.config_id)] == ["Cancelled", "Queued"]


def test_a_run_is_put_on_record_once_the_control_database_is_back(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    between: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator, context = a_try(control, claimed)
    when_submitted(monkeypatch, operator, lambda: take_away(between))
    with meanwhile(back_after(between, 3)), pytest.raises(TaskDeferred):
        operator.execute(context)
    (submitted,) = workspace.runs()
    assert load(control, claimed.metadata_id)["databricks_run"] == str(submitted["run_id"])


def test_a_refusal_is_put_on_record_once_the_control_database_is_back(
    control: Engine,
    claimed: Claimed,
    workspace: Workspace,
    between: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator, context = a_try(control, claimed)
    workspace.order("status", path="runs/submit", status=403)
    when_submitted(monkeypatch, operator, lambda: take_away(between))
    with (
        meanwhile(back_after(between, 3)),
        pytest.raises(AirflowFailException, match="could not be submitted"),
    ):
        operator.execute(context)
    assert load(control, claimed.metadata_id)["load_status"] == "Failed"


def test_a_try_that_is_to_end_does_not_wait_for_the_control_database(
    control: Engine, claimed: Claimed, workspace: Workspace, between: Proxy
) -> None:
    operator, context = a_try(control, claimed)
    take_away(between)

    def end_it() -> None:
        until(lambda: between.met >= 2)
        operator.on_kill()

    with meanwhile(end_it), pytest.raises(AirflowException, match="cannot be reached"):
        operator.execute(context)
    assert workspace.runs() == []
