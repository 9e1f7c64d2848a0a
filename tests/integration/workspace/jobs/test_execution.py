"""Runs that really load: what reaches the task, and what is left after its end."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.jobs import execution
from airflow_dataloader.workspace.jobs.model import Submission, TaskSpec
from airflow_dataloader.workspace.jobs.process import launch
from airflow_dataloader.workspace.jobs.store import RunStore
from airflow_dataloader.workspace.spark.external import ExternalSpark
from tests.bench import Bench
from tests.integration.workspace.conftest import Counted, Start, Workspace, starting
from tests.sessions import sleeping
from tests.waiting import until

TASK = "/Workspace/Shared/dataloader/spark_tasks/load_table.py"
VERIFY = "/Workspace/Shared/dataloader/spark_tasks/verify_table.py"
#: A read that is asleep at the source for a while, once it has begun.
SLOW = "SELECT id, length(pg_sleep(6)::text) AS at FROM items"


@pytest.fixture
def workspace(bench: Bench, script: Path) -> Iterator[Workspace]:
    """A workspace over the bench's databases and warehouse; the source's login is in its secret scope."""
    environment = dict(os.environ) | {"DATALOADER_CONTROL_URL": bench.control_url}
    with starting(bench.home, script, ExternalSpark(bench.remote)) as start:
        workspace = start(environment=environment)
        for name, value in bench.login.items():
            workspace.state.secrets.put("test", f"shop-{name}", value)
        yield workspace


def load(workspace: Workspace, bench: Bench, row: int) -> int:
    """Claim a row and submit its load as Airflow does."""
    ids = bench.claim(row)
    parameters = [f"{ids.metadata_id}:{ids.epoch}"]
    script = {"python_file": TASK, "parameters": parameters}
    return workspace.submit_body({"tasks": [{"task_key": "t", "spark_python_task": script}]})


def commits(bench: Bench) -> list[str]:
    """Return the target's commits, from its Delta log."""
    target = bench.target()
    log = bench.home / "warehouse" / target.catalog / target.schema / target.table / "_delta_log"
    return sorted(path.name for path in log.glob("*.json"))


def test_a_load_succeeds_and_says_where_it_ran(workspace: Workspace, bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT generate_series(1, 1000) AS id")
    row = bench.row()
    run_id = load(workspace, bench, row)
    run = workspace.wait(run_id)
    assert run["state"]["result_state"] == "SUCCESS", workspace.output(run_id)
    assert bench.state(row).last_status == "Succeeded"
    (history,) = bench.history(row)
    assert (history.databricks_run, history.workspace_host) == (
        str(run_id),
        workspace.url.removeprefix("http://"),
    )
    assert bench.target_rows() == bench.source_rows()
    assert len(commits(bench)) == 1


def test_a_row_is_verified_and_the_output_says_so(workspace: Workspace, bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT n AS id, 'x' AS v FROM generate_series(1, 9) n")
    row = bench.row(primary_key_cols="id")
    bench.succeed(row)
    script = {"python_file": VERIFY, "parameters": [str(row)]}
    body = {"tasks": [{"task_key": "t", "spark_python_task": script}]}
    name = f"config_id {row} (public.items → bronze.{bench.schema}.items)"
    equal = workspace.submit_body(body)
    assert workspace.wait(equal)["state"]["result_state"] == "SUCCESS", workspace.output(equal)
    assert f"{name}: equal" in workspace.output(equal)["logs"].splitlines()
    bench.source.execute("UPDATE items SET v = 'y' WHERE id = 4")
    different = workspace.submit_body(body)
    assert workspace.wait(different)["state"]["result_state"] == "FAILED"
    logs = workspace.output(different)["logs"].splitlines()
    assert f"{name}: different" in logs
    assert "  id = 4: different in v" in logs
    assert len(commits(bench)) == 1


def test_no_secret_shows_up_anywhere(workspace: Workspace, bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    run_id = load(workspace, bench, bench.row("gone"))
    until(lambda: workspace.life_cycle(run_id) == "RUNNING")
    process = workspace.process(run_id)
    password = bench.login["password"]
    arguments = [word for one in (process, *process.children(recursive=True)) for word in one.cmdline()]
    run = workspace.wait(run_id)
    assert run["state"]["result_state"] == "FAILED"
    folder = workspace.state.context.home.folder
    written = [path for path in folder.rglob("*") if path.is_file() and path.name != "secrets.json"]
    texts = [path.read_text(errors="replace") for path in written]
    hidden = [password, bench.remote.split(";token=")[1]]
    for secret in hidden:
        assert not any(secret in text for text in (*texts, *arguments))
        assert secret not in json.dumps(workspace.output(run_id))
    assert {oct(path.stat().st_mode & 0o077) for path in (folder, *written) if path.suffix != ".db-shm"} == {
        "0o0"
    }


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_nothing_is_committed_after_the_end(workspace: Workspace, bench: Bench, how: str) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row()
    bench.succeed(row)
    before = commits(bench)
    bench.set(row, query=SLOW)
    run_id = load(workspace, bench, row)
    until(lambda: sleeping(bench.source))
    if how == "cancel":
        workspace.cancel(run_id)
    else:
        kill_loader(workspace, run_id)
    run = workspace.wait(run_id)
    assert run["state"]["result_state"] == {"cancel": "CANCELED", "kill": "FAILED"}[how]
    # The source's answer is there now: a write that went on would have what it waited for.
    until(lambda: not sleeping(bench.source))
    time.sleep(2)
    assert commits(bench) == before
    if how == "cancel":
        # A loader that is asked to end settles its load, and the next one finds nothing in its way.
        assert bench.history(row)[-1].load_status == "Cancelled"
        bench.set(row, query=None)
        run = workspace.wait(load(workspace, bench, row))
        assert run["state"]["result_state"] == "SUCCESS"


def kill_loader(workspace: Workspace, run_id: int) -> None:
    """Kill the loader itself, as a machine short of memory does."""
    (loader,) = workspace.process(run_id).children()
    os.kill(loader.pid, signal.SIGKILL)


def test_the_task_gets_its_place_and_nothing_of_airflow_s(start: Start, script: Path) -> None:
    secret = {"AIRFLOW__CORE__FERNET_KEY": "x", "AIRFLOW_CONN_A": "x", "DATABRICKS_CLIENT_SECRET": "x"}
    workspace = start(environment=dict(os.environ) | secret)
    names = ["DATALOADER_HOME", "DATABRICKS_HOST", "DATALOADER_RUN_ID", "DATALOADER_WORKSPACE_HOST"]
    run_id = workspace.submit("environment", *names, *secret)
    workspace.wait(run_id)
    home = workspace.state.context.home.folder.parent
    expected = [str(home), workspace.url, str(run_id), workspace.url.removeprefix("http://")]
    lines = workspace.output(run_id)["logs"].splitlines()[1:]
    assert [line.split("=")[1] for line in lines] == [*expected, "None", "None", "None"]


def test_a_file_that_is_not_there_ends_the_run(start: Start) -> None:
    workspace = start()
    script = {"python_file": "/Workspace/gone.py"}
    run_id = workspace.submit_body({"tasks": [{"task_key": "t", "spark_python_task": script}]})
    run = workspace.wait(run_id)
    assert run["status"]["termination_details"]["code"] == "RESOURCE_NOT_FOUND"
    assert workspace.output(run_id)["error"] == "Cannot read the python file /Workspace/gone.py."


def asleep(start: Start) -> tuple[Workspace, int, psutil.Process]:
    """Start a workspace with a run that sleeps; return it, the run's number and the run's process."""
    workspace = start()
    run_id = workspace.submit("sleep", "600")
    workspace.said(run_id, "task sleep")
    return workspace, run_id, workspace.process(run_id)


def refuse(workspace: Workspace, *states: str) -> None:
    """Have the runs' database refuse states, as a full disk does."""
    trigger = "CREATE TRIGGER full BEFORE UPDATE OF life_cycle ON run WHEN new.life_cycle IN ({}) "
    names = ", ".join(f"'{state}'" for state in states)
    with closing(sqlite3.connect(workspace.state.context.home.database)) as other:
        other.execute(f"{trigger.format(names)} BEGIN SELECT RAISE(ABORT, 'disk full'); END")


def allow(workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.state.context.home.database)) as other:
        other.execute("DROP TRIGGER full")


@pytest.mark.parametrize("refused", [["TERMINATING"], ["TERMINATING", "TERMINATED", "INTERNAL_ERROR"]])
def test_what_is_to_end_ends_whatever_the_store_says(
    tmp_path: Path, script: Path, monkeypatch: pytest.MonkeyPatch, refused: list[str]
) -> None:
    monkeypatch.setattr(execution, "_STORE_SECONDS", 0.05)
    spark = Counted()
    with starting(tmp_path, script, spark) as start:
        workspace, run_id, process = asleep(start)
        refuse(workspace, *refused)
        workspace.cancel(run_id)
        until(lambda: not process.is_running() and spark.ended)
        if "TERMINATED" in refused:
            assert workspace.life_cycle(run_id) == "RUNNING"
        allow(workspace)
        run = workspace.wait(run_id)
    assert run["state"]["result_state"] == run["tasks"][0]["state"]["result_state"] == "CANCELED"
    assert spark.given == len(spark.ended) == 1


def test_a_workspace_ends_what_it_started_though_its_store_takes_nothing(
    tmp_path: Path, script: Path
) -> None:
    spark = Counted()
    with starting(tmp_path, script, spark) as start:
        workspace, run_id, process = asleep(start)
        with closing(sqlite3.connect(workspace.state.context.home.database)) as other:
            other.execute("CREATE TRIGGER full BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert not process.is_running()
    assert len(spark.ended) == 1
    with closing(sqlite3.connect(workspace.state.context.home.database)) as other:
        other.execute("DROP TRIGGER full")
    with starting(tmp_path, script, spark) as start:
        assert start().wait(run_id)["tasks"][0]["state"]["result_state"] == "FAILED"


@pytest.mark.parametrize(("code", "released"), [("0", 1), ("3", 0)])
def test_only_a_task_that_succeeded_is_done_with_its_session(
    tmp_path: Path, script: Path, code: str, released: int
) -> None:
    spark = Counted()
    with starting(tmp_path, script, spark) as start:
        workspace = start()
        workspace.wait(workspace.submit("exit", code))
    assert (len(spark.ended), len(spark.released)) == (1, released)


def left_by_another(tmp_path: Path, script: Path, server: str, *words: str) -> int:
    """Leave a run behind, as a workspace does that is killed; return its number."""
    home = WorkspaceHome.below(tmp_path)
    spec = TaskSpec(key="t", python_file=str(script), parameters=words)
    with closing(RunStore(home.database)) as store:
        run_id, _ = store.submit(Submission(name="t", tasks=(spec,), payload={"tasks": [{"task_key": "t"}]}))
        run = store.run(run_id)
        assert run is not None
        task = run.tasks[0].run_id
        store.prepare(task, "session", "hash", server)
        launch(
            [sys.executable, str(script), *words],
            os.environ,
            home.run_folder(run_id, task),
            lambda pid, born: store.begin(task, pid, born),
        )
    return run_id


@pytest.mark.parametrize(
    ("server", "words", "result"),
    [
        ("sc://localhost:1", ("sleep", "600"), "CANCELED"),
        ("sc://localhost:2", ("sleep", "600"), "FAILED"),
        ("", ("sleep", "600"), "FAILED"),
        ("sc://localhost:2", ("sleep", "0"), "SUCCESS"),
    ],
)
def test_a_session_at_another_server_is_not_said_to_have_ended(
    tmp_path: Path, script: Path, start: Start, server: str, words: tuple[str, ...], result: str
) -> None:
    run_id = left_by_another(tmp_path, script, server, *words)
    workspace = start()
    if result != "SUCCESS":
        workspace.cancel(run_id)
    (task,) = workspace.wait(run_id)["tasks"]
    assert task["state"]["result_state"] == result
    if result == "FAILED":
        assert "What the run wrote last may still be committed." in task["state"]["state_message"]


def test_a_task_that_cannot_be_launched_gives_spark_back(tmp_path: Path, script: Path) -> None:
    spark = Counted()
    with starting(tmp_path, script, spark) as start:
        workspace = start()
        # Where the run's folder would be made there is a file.
        (workspace.state.context.home.folder / "runs").write_text("")
        run = workspace.wait(workspace.submit("sleep", "0"))
    assert run["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert "The workspace failed: " in run["state"]["state_message"]
    assert spark.given == len(spark.ended) == 1
