"""Which runs run when, and how they end; none of these needs Spark."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_dataloader.workspace.jobs import queue
from airflow_dataloader.workspace.jobs.model import Submission, TaskSpec
from airflow_dataloader.workspace.jobs.process import launch
from airflow_dataloader.workspace.jobs.states import Stop
from airflow_dataloader.workspace.spark.protocol import Seat
from tests.integration.workspace.conftest import Start, Workspace, starting
from tests.no_spark import NoSpark
from tests.waiting import until


def test_further_runs_wait_their_turn(start: Start) -> None:
    workspace = start(max_concurrent_runs=2)
    first, second = (workspace.submit("sleep", "600") for _ in range(2))
    pending = workspace.submit("sleep", "0")
    queued = workspace.submit("sleep", "0", queue={"enabled": True})
    for run_id in (first, second):
        workspace.said(run_id, "task sleep")
    assert [workspace.life_cycle(run_id) for run_id in (pending, queued)] == ["PENDING", "QUEUED"]
    assert workspace.output(pending)["logs"] == ""
    workspace.cancel(first)
    assert workspace.wait(pending)["state"]["result_state"] == "SUCCESS"
    ended = workspace.wait(queued)
    assert ended["state"]["result_state"] == "SUCCESS"
    times = [workspace.get(run_id)["end_time"] for run_id in (first, pending, queued)]
    assert times == sorted(times)
    assert workspace.life_cycle(second) == "RUNNING"


def test_a_run_that_waits_can_be_cancelled(start: Start) -> None:
    workspace = start(max_concurrent_runs=1)
    workspace.said(workspace.submit("sleep", "600"), "task sleep")
    waiting = workspace.submit("sleep", "0")
    workspace.cancel(waiting)
    run = workspace.wait(waiting)
    assert (run["state"]["life_cycle_state"], run["state"]["result_state"]) == ("TERMINATED", "CANCELED")
    assert run["tasks"][0]["state"]["result_state"] == "CANCELED"
    assert workspace.output(waiting)["logs"] == ""


def test_a_cancel_ends_what_does_not_want_to_end(start: Start) -> None:
    workspace = start()
    run_id = workspace.submit("stubborn")
    workspace.said(run_id, "ignores SIGTERM")
    process = workspace.process(run_id)
    workspace.cancel(run_id)
    until(lambda: workspace.life_cycle(run_id) != "RUNNING")
    assert workspace.wait(run_id)["state"]["result_state"] == "CANCELED"
    assert not process.is_running()
    assert workspace.output(run_id)["error"] == "Run cancelled."


def test_a_run_that_takes_too_long_is_timed_out(start: Start) -> None:
    workspace = start()
    run_id = workspace.submit("sleep", "600", timeout_seconds=1)
    by_task = workspace.submit_body({"tasks": [workspace.task("sleep", "600", timeout_seconds=1)]})
    for ended in (workspace.wait(run_id), workspace.wait(by_task)):
        assert ended["state"]["result_state"] == "TIMEDOUT"
        assert ended["status"]["termination_details"]["code"] == "CANCELED"
        assert ended["end_time"] - ended["start_time"] >= 1000


def test_a_clock_that_is_set_ends_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = start()
    go = tmp_path / "go"
    task = workspace.task("await", str(go), "0", timeout_seconds=3600)
    run_id = workspace.submit_body({"tasks": [task], "timeout_seconds": 3600})
    workspace.said(run_id, "task await")
    real, real_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: real() + 3 * 3600)
    monkeypatch.setattr(time, "time_ns", lambda: real_ns() + 3 * 3600 * 10**9)
    # Looked at again, and again, before anything else happens.
    workspace.wait(workspace.submit("sleep", "1"))
    assert workspace.life_cycle(run_id) == "RUNNING"
    go.touch()
    assert workspace.wait(run_id)["state"]["result_state"] == "SUCCESS"


def test_waiting_does_not_count_towards_the_timeout(start: Start) -> None:
    workspace = start(max_concurrent_runs=1)
    # The second one has as long as a process may need to come and go, and waits for longer.
    first = workspace.submit("sleep", "12")
    second = workspace.submit("sleep", "0", timeout_seconds=10)
    assert workspace.wait(second)["state"]["result_state"] == "SUCCESS"
    assert workspace.get(first)["state"]["result_state"] == "SUCCESS"


def test_tasks_run_side_by_side_or_after_one_another(start: Start, tmp_path: Path) -> None:
    workspace = start()
    go = tmp_path / "go"
    run_id = workspace.submit_body(
        {
            "tasks": [
                workspace.task("await", str(go), "0", key="a"),
                workspace.task("touch", str(go), key="b"),
                workspace.task("sleep", "0", key="c", depends_on=[{"task_key": "a"}, {"task_key": "b"}]),
            ]
        }
    )
    run = workspace.wait(run_id)
    assert run["state"]["result_state"] == "SUCCESS"
    a, b, c = run["tasks"]
    # Side by side: the first one waits for what the second one does.
    assert c["end_time"] >= max(a["end_time"], b["end_time"])
    assert workspace.output(c["run_id"])["logs"] == "task sleep 0"
    answer = workspace.http.get("/api/2.2/jobs/runs/get-output", params={"run_id": run_id})
    assert answer.status_code == 400
    assert "multiple tasks" in answer.json()["message"]


def test_one_task_s_failure_does_not_touch_its_siblings(start: Start) -> None:
    workspace = start()
    tasks = [workspace.task("fail", "x", key="bad"), workspace.task("sleep", "1", key="good")]
    run = workspace.wait(workspace.submit_body({"tasks": tasks}))
    assert run["state"]["state_message"].startswith("Task bad failed")
    assert [task["state"]["result_state"] for task in run["tasks"]] == ["FAILED", "SUCCESS"]


def test_the_same_token_is_the_same_run(start: Start) -> None:
    workspace = start()
    body = {"tasks": [workspace.task("sleep", "0")], "idempotency_token": "adl-0-1-1"}
    with ThreadPoolExecutor(8) as pool:
        runs = set(pool.map(lambda _: workspace.submit_body(body), range(24)))
    (run_id,) = runs
    workspace.wait(run_id)
    assert workspace.submit_body(body) in runs
    assert len(workspace.http.get("/api/2.2/jobs/runs/list").json()["runs"]) == 1


def test_a_task_killed_with_its_wrapper_is_nobody_s_success(start: Start) -> None:
    workspace = start()
    run_id = workspace.submit("sleep", "600")
    workspace.said(run_id, "task sleep")
    process = workspace.process(run_id)
    for each in (process, *process.children()):
        each.kill()
    run = workspace.wait(run_id)
    assert run["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert run["status"]["termination_details"]["type"] == "INTERNAL_ERROR"
    assert "killed from outside" in workspace.output(run_id)["error"]


def test_a_stopped_run_that_nobody_watches_ends_with_its_process(start: Start, script: Path) -> None:
    """As when the store refuses itself to the workspace that finds the run."""
    workspace = start()
    context = workspace.state.context
    spec = TaskSpec(key="t", python_file=str(script), parameters=("sleep", "600"))
    run_id, _ = context.store.submit(
        Submission(name="t", tasks=(spec,), payload={"tasks": [{"task_key": "t"}]})
    )
    run = context.store.run(run_id)
    assert run is not None
    (task,) = run.tasks
    process = launch(
        [sys.executable, str(script), *spec.parameters],
        context.environment,
        context.home.run_folder(run_id, task.run_id),
        lambda pid, born: context.store.begin(task.run_id, pid, born),
    )
    context.store.stop(run_id, Stop.CANCEL)
    workspace.state.queue.wake()
    ended = workspace.wait(run_id)
    try:
        assert not process.alive
    finally:
        process.end()
    assert ended["state"]["result_state"] == ended["tasks"][0]["state"]["result_state"] == "CANCELED"


def test_what_a_task_leaves_behind_does_not_keep_its_run_alive(start: Start) -> None:
    workspace: Workspace = start()
    assert workspace.wait(workspace.submit("child"))["state"]["result_state"] == "SUCCESS"


def test_old_runs_are_forgotten_while_the_workspace_stays_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_FORGET_SECONDS", 0.05)
    workspace = start()
    old = workspace.submit("sleep", "0")
    workspace.wait(old)
    home, store = workspace.state.context.home, workspace.state.context.store
    assert home.logs_of(old).exists()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 61 * 24 * 3600 * 10**9)
    until(lambda: store.run(old) is None)
    assert not home.logs_of(old).exists()


def test_a_run_for_which_no_thread_is_to_be_had_waits(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    workspace = start()
    spec = TaskSpec(key="t", python_file=str(workspace.script), parameters=("sleep", "0"))
    usual = threading.stack_size(2**46)
    try:
        payload = {"tasks": [{"task_key": "t"}]}
        run_id, _ = workspace.state.context.store.submit(Submission(name="t", tasks=(spec,), payload=payload))
        workspace.state.queue.wake()
        until(lambda: "can't start new thread" in caplog.text)
    finally:
        threading.stack_size(usual)
    assert workspace.wait(run_id)["state"]["result_state"] == "SUCCESS"


class Absent:
    """Spark that has not come up yet, and was not there before."""

    def take_seat(self) -> Seat | None:
        return None

    def adopt(self) -> Seat:
        raise AssertionError("no task was left")

    def close(self) -> None:
        """There is nothing to end."""

    def describe(self) -> str:
        return "Waiting for Spark"


def test_a_run_that_waits_for_spark_is_taken_up_by_the_next_workspace(tmp_path: Path, script: Path) -> None:
    with starting(tmp_path, script, Absent()) as start:
        first = start()
        runs = [first.submit("sleep", "0") for _ in range(2)]
        stopped = first.submit("sleep", "0")
        until(lambda: first.get(runs[0])["state"]["state_message"] == "Waiting for Spark")
        first.cancel(stopped)
        assert first.wait(stopped)["state"]["result_state"] == "CANCELED"
    with starting(tmp_path, script, NoSpark()) as start:
        second = start()
        assert [second.wait(run)["state"]["result_state"] for run in runs] == ["SUCCESS", "SUCCESS"]
