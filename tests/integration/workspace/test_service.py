"""A workspace as a process of its own: killed, started again, stopped, and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil
import pytest

from tests.integration.workspace.conftest import Client
from tests.waiting import until

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer

COMMAND = [str(Path(sys.executable).with_name("dataloader")), "workspace"]


@dataclass
class Daemon:
    """``dataloader workspace`` in a home of its own."""

    home: Path
    script: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str) -> Client:
        """Start it and return a client when it has printed its address."""
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            env=os.environ | self.environment | {"DATALOADER_HOME": str(self.home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert json.loads((self.home / "workspace" / "workspace.json").read_text())["url"] == url
        token = (self.home / "workspace" / "token").read_text()
        return Client(url=url, token=token, script=self.script)

    def kill(self) -> None:
        self.started[-1].kill()
        self.started[-1].wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.started[-1].send_signal(number)
        return self.started[-1].wait(60)


@pytest.fixture
def daemon(tmp_path: Path, script: Path, connect_server: ConnectServer) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, script, {"SPARK_REMOTE": connect_server.settings.remote})
    yield daemon
    for process in daemon.started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def families(home: Path) -> list[psutil.Process]:
    """Return the processes of tasks of this home."""
    folder = str(home / "workspace" / "runs")
    found = []
    for process in psutil.process_iter():
        try:
            if any(word.startswith(folder) for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def task_process(home: Path, client: Client, run_id: int) -> psutil.Process:
    (task,) = client.get(run_id)["tasks"]
    folder = f"/{run_id}/{task['run_id']}/"
    (found,) = [p for p in families(home) if any(folder in word for word in p.cmdline())]
    return found


def test_a_workspace_that_was_killed_knows_its_runs(daemon: Daemon, tmp_path: Path) -> None:
    client = daemon.start("--max-runs", "5")
    go_now, go_later = tmp_path / "now", tmp_path / "later"
    ended = client.submit("sleep", "0", idempotency_token="ended")
    client.wait(ended)
    dies = client.submit("await", str(go_now), "3")
    killed = client.submit("sleep", "600")
    lives = client.submit("await", str(go_later), "0", idempotency_token="lives")
    cancelled = client.submit("stubborn")
    timed_out = client.submit("sleep", "600", timeout_seconds=10)
    waits = client.submit("sleep", "0")
    for run_id in (dies, killed, lives, cancelled, timed_out):
        client.said(run_id, "task ")
    victim = task_process(tmp_path, client, killed)
    until(lambda: client.life_cycle(cancelled) == "RUNNING")

    daemon.kill()
    go_now.touch()
    os.killpg(victim.pid, signal.SIGKILL)
    until(lambda: list((tmp_path / "workspace" / "runs" / str(dies)).glob("*/exit-code")))

    again = daemon.start("--max-runs", "2")
    assert again.url == client.url
    assert again.wait(dies)["state"]["result_state"] == "FAILED"
    assert again.wait(killed)["state"]["life_cycle_state"] == "INTERNAL_ERROR"
    assert again.submit("sleep", "0", idempotency_token="ended") == ended
    assert again.get(ended)["state"]["result_state"] == "SUCCESS"
    assert again.life_cycle(lives) == "RUNNING"
    assert again.life_cycle(waits) == "PENDING"
    again.cancel(cancelled)
    assert again.wait(cancelled)["state"]["result_state"] == "CANCELED"
    assert again.wait(timed_out)["state"]["result_state"] == "TIMEDOUT"
    assert again.wait(waits)["state"]["result_state"] == "SUCCESS"
    go_later.touch()
    assert again.wait(lives)["state"]["result_state"] == "SUCCESS"
    assert again.output(lives)["logs"].endswith("awaited")
    assert families(tmp_path) == []


def test_a_run_that_lives_on_still_reads_its_secrets(daemon: Daemon, tmp_path: Path) -> None:
    go = tmp_path / "go"
    reads = tmp_path / "reads.py"
    reads.write_text(
        "import os, sys, time\n"
        "from airflow_dataloader.loader.secrets import default_secrets\n"
        "print('up', flush=True)\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.05)\n"
        "print(len(default_secrets().require('vault', 'pw', field='f')))\n"
    )
    client = daemon.start()
    put = subprocess.run(
        [*COMMAND, "secret", "put", "vault", "pw"],
        env=os.environ | {"DATALOADER_HOME": str(tmp_path)},
        input="hunter22\n",
        text=True,
        check=True,
        capture_output=True,
    )
    assert put.stdout == put.stderr == ""
    task = {"task_key": "t", "spark_python_task": {"python_file": str(reads), "parameters": [str(go)]}}
    run_id = client.submit_body({"tasks": [task]})
    client.said(run_id, "up")
    daemon.kill()
    again = daemon.start()
    go.touch()
    assert again.wait(run_id)["state"]["result_state"] == "SUCCESS", again.output(run_id)
    assert again.output(run_id)["logs"] == "up\n8"


def test_a_run_asks_no_proxy_for_this_machine(
    daemon: Daemon, tmp_path: Path, connect_server: ConnectServer
) -> None:
    asks = tmp_path / "asks.py"
    asks.write_text(
        "import grpc, sys\n"
        "grpc.channel_ready_future(grpc.insecure_channel(sys.argv[1])).result(timeout=100)\n"
    )
    # gRPC reads it in small letters, and nobody answers there.
    daemon.environment["http_proxy"] = "http://127.0.0.1:9"
    client = daemon.start()
    address = urlsplit(connect_server.settings.remote).netloc
    task = {"task_key": "t", "spark_python_task": {"python_file": str(asks), "parameters": [address]}}
    run_id = client.submit_body({"tasks": [task]})
    assert client.wait(run_id)["state"]["result_state"] == "SUCCESS", client.output(run_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_all_that_it_started(
    daemon: Daemon, tmp_path: Path, number: signal.Signals
) -> None:
    client = daemon.start("--max-runs", "1")
    running, waiting = client.submit("sleep", "600"), client.submit("sleep", "0")
    client.said(running, "task sleep")
    assert daemon.stop(number) == 0
    assert families(tmp_path) == []
    again = daemon.start()
    state = again.get(running)["state"]
    assert (state["result_state"], state["state_message"]) == (
        "CANCELED",
        "The workspace was stopped during the run.",
    )
    assert again.wait(waiting)["state"]["result_state"] == "SUCCESS"


def refusal(home: Path, *arguments: str, **environment: str) -> str:
    """Return the one line that a workspace says which does not start."""
    ran = subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | {"DATALOADER_HOME": str(home), "SPARK_REMOTE": "sc://localhost:1"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    (line,) = ran.stderr.splitlines()
    return line


def test_what_stands_in_its_way_is_one_line(daemon: Daemon, tmp_path: Path) -> None:
    client = daemon.start()
    assert refusal(tmp_path).startswith(f"Error: Another workspace runs in {tmp_path}/workspace. Fix: ")
    other = tmp_path / "other"
    port = client.url.rsplit(":", 1)[1]
    assert refusal(other, "--port", port).startswith(f"Error: Port {port} of 127.0.0.1 cannot be used")
    daemon.stop()


def test_without_java_it_says_so(tmp_path: Path) -> None:
    """Where there is no other, neither on the path nor in the usual folders, nor from the package index."""
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.1\"' >&2\n")
    java.chmod(0o755)
    hide = tmp_path / "sitecustomize.py"
    hide.write_text(
        "import airflow_dataloader.loader.engines.spark.java as java\n"
        "java.java_home.__kwdefaults__['machine'] = ()\n"
        "java._carried_runtime = lambda: None\n"
    )
    path = f"{java.parent}:/nothing"
    line = refusal(
        tmp_path, SPARK_REMOTE="", JAVA_HOME=str(java.parents[1]), PATH=path, PYTHONPATH=str(tmp_path)
    )
    assert line.startswith("Error: Spark needs Java 17 or 21: found ")
