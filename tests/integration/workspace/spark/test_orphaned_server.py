"""A workspace with a Spark of its own, killed in the middle of a load and started again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from airflow_dataloader.workspace.spark.orphaned_server import end_orphaned_server, note_server
from tests.bench import Bench
from tests.clock import set_clock
from tests.integration.workspace.jobs.test_execution import SLOW, TASK, commits
from tests.integration.workspace.test_service import Daemon
from tests.sessions import sleeping
from tests.waiting import until


@pytest.mark.faults
def test_the_loads_end_and_the_next_ones_work(bench: Bench, script: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "jars").symlink_to((bench.home / "jars").resolve())
    bench.home = home
    environment = bench.secret_environment | {"DATALOADER_CONTROL_URL": bench.control_url, "SPARK_REMOTE": ""}
    daemon = Daemon(home, script, environment)
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id")
    row = bench.row(query=SLOW)
    ids = bench.claim(row)
    parameters = {"python_file": TASK, "parameters": [f"{ids.metadata_id}:{ids.epoch}"]}
    body = {"tasks": [{"task_key": "t", "spark_python_task": parameters}]}

    client = daemon.start()
    run_id = client.submit_body(body)
    until(lambda: sleeping(bench.source))
    server = json.loads((home / "workspace" / "spark.json").read_text())["pid"]
    daemon.kill()
    client = daemon.start()
    assert not psutil.pid_exists(server)
    assert client.wait(run_id)["state"]["result_state"] == "FAILED"
    until(lambda: not sleeping(bench.source))
    assert commits(bench) == []
    assert bench.state(row).last_status == "Failed", bench.history(row)

    bench.set(row, query=None)
    ids = bench.claim(row)
    parameters["parameters"] = [f"{ids.metadata_id}:{ids.epoch}"]
    run_id = client.submit_body(body)
    assert client.wait(run_id)["state"]["result_state"] == "SUCCESS", client.output(run_id)
    assert daemon.stop() == 0
    assert bench.state(row).last_status == "Succeeded"
    left = json.loads((home / "workspace" / "spark.json").read_text())["pid"]
    assert not psutil.pid_exists(left)


def test_a_process_that_is_no_spark_server_is_left_alone(tmp_path: Path) -> None:
    note = tmp_path / "spark.json"
    end_orphaned_server(note)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        note_server(note, other.pid)
        end_orphaned_server(note)
        assert other.poll() is None
        other.communicate(b"\n")
    end_orphaned_server(note)
    for damaged in ("{", "[]", '"spark"', '{"pid": "7", "born": 1}'):
        note.write_text(damaged)
        end_orphaned_server(note)


@pytest.mark.parametrize("clock", ["kept", "set"])
def test_a_server_that_was_left_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: str) -> None:
    note = tmp_path / "spark.json"
    command = [sys.executable, "-c", "print(flush=True); input()", "SparkConnectServer"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as server:
        assert server.stdout is not None
        server.stdout.readline()
        note_server(note, server.pid)
        if clock == "set":
            set_clock(monkeypatch, tmp_path / "proc", server.pid)
        end_orphaned_server(note)
        assert server.poll() is not None
