"""Airflow's four components as processes of a test: each in a group of its own, started, killed, replaced."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil

from tests.airflow_db import BUNDLES
from tests.faults.accident import eventually

DAG = "dataloader_load"

#: What each component is started with, past its name.
COMPONENTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}

#: Seconds until a component must be there; the machine may be busy.
PATIENCE = 240.0

#: Components that say something at all times, and by which name.
_HEALTH = ("metadatabase", "scheduler", "triggerer", "dag_processor")


@dataclass
class Airflow:
    """An installation of Airflow and its processes."""

    home: Path
    #: URL of its metadata database.
    url: str
    port: int
    #: Connections and settings on top of what every test needs.
    environment: Mapping[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _key: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Create the database's tables, start all components, and wait until they are healthy."""
        migrated = subprocess.run(
            [*self._command("db"), "migrate"],
            env=self._environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        assert migrated.returncode == 0, migrated.stderr
        # A task that finds nobody who answers waits long before it is tried again.
        self.begin("api-server")
        eventually("Airflow's API", self._answers, seconds=PATIENCE)
        for name in self.missing():
            self.begin(name)
        eventually("Airflow's health", self.healthy, seconds=PATIENCE)
        eventually("the DAG", self._has_dag, seconds=PATIENCE)

    def begin(self, name: str) -> None:
        """Start one component."""
        log = (self.home / f"{name}.log").open("ab")
        with log:
            self.processes[name] = subprocess.Popen(
                [*self._command(name), *COMPONENTS[name]],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a component and its children as a machine that fails does."""
        process = self.processes.pop(name)
        _signal_all(_family(process.pid), signal.SIGKILL)
        process.wait(PATIENCE)

    def revive(self) -> None:
        """Start what has died again, as whoever looks after the processes does, until all are healthy."""

        def revived() -> bool:
            for name in self.missing():
                self.begin(name)
            return self.healthy()

        eventually("Airflow's health", revived, seconds=PATIENCE)

    def missing(self) -> list[str]:
        """Return the components that do not run."""
        return [
            name
            for name in COMPONENTS
            if name not in self.processes or self.processes[name].poll() is not None
        ]

    def tasks(self) -> list[psutil.Process]:
        """Return the processes that run a task just now: what the executor's workers have forked."""
        workers = psutil.Process(self.processes["scheduler"].pid).children()
        return [task for worker in workers for task in worker.children()]

    def freeze(self, name: str) -> None:
        """Stop a component in the middle of whatever it does."""
        _signal_all(_family(self.processes[name].pid), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        _signal_all(_family(self.processes[name].pid), signal.SIGCONT)

    def record(self, run: str, map_index: int) -> dict[str, Any]:
        """Return what a load task has recorded of its load."""
        task = self._task(run, map_index).rsplit("/", 1)[0]
        found = self.ask("GET", f"{task}/xcomEntries/load_record?map_index={map_index}&deserialize=true")
        return dict(found["value"])

    def stop(self) -> None:
        """End all components, and whatever they have started."""
        families = [_family(process.pid) for process in self.processes.values()]
        for process in self.processes.values():
            process.terminate()
        until = time.monotonic() + 20
        for process in self.processes.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for family in families:
            _signal_all(family, signal.SIGKILL)

    def log(self, name: str) -> str:
        """Return what a component has said."""
        return (self.home / f"{name}.log").read_text(errors="replace")

    def healthy(self) -> bool:
        """Say whether every component has been heard of lately."""
        try:
            answer = httpx.get(f"{self.address}/api/v2/monitor/health", timeout=30).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(answer.get(name, {}).get("status") == "healthy" for name in _HEALTH)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the REST API, as the administrator that everybody is here."""
        answer = httpx.request(method, f"{self.address}/api/v2{path}", json=body, timeout=60)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def run(self) -> str:
        """Have the DAG run now; return the run's id."""
        return str(self.ask("POST", f"/dags/{DAG}/dagRuns", {"logical_date": None})["dag_run_id"])

    def task(self, run: str, map_index: int) -> dict[str, Any]:
        """Return a load task; one that is not mapped yet has no state."""
        try:
            answer = httpx.get(f"{self.address}/api/v2{self._task(run, map_index)}", timeout=60)
        except httpx.HTTPError:
            # The API's own process may be what a test has taken away.
            return {"state": None}
        return dict(answer.json()) if answer.status_code == 200 else {"state": None}

    def mark(self, run: str, map_index: int, state: str) -> None:
        """Give a load task a state by hand."""
        self.ask("PATCH", self._task(run, map_index), {"new_state": state})

    def clear(self, run: str, map_index: int) -> None:
        """Clear a load task."""
        body = {
            "dry_run": False,
            "dag_run_id": run,
            "task_ids": [["load", map_index]],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.ask("POST", f"/dags/{DAG}/clearTaskInstances", body)

    def _task(self, run: str, map_index: int) -> str:
        return f"/dags/{DAG}/dagRuns/{quote(run, safe='')}/taskInstances/load/{map_index}"

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/api/v2/version", timeout=30).is_success
        except httpx.HTTPError:
            return False

    def _has_dag(self) -> bool:
        answer = httpx.get(f"{self.address}/api/v2/dags/{DAG}", timeout=30)
        return answer.status_code == 200 and not answer.json()["is_paused"]

    def _command(self, name: str) -> list[str]:
        return [str(Path(sys.executable).with_name("airflow")), name]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        # What is not set here is as in an installation: the interval of heartbeats, for example.
        return {
            **kept,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": self._key,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._key,
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": BUNDLES,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.url.replace(
                "postgresql://", "postgresql+psycopg2://"
            ),
            # How long a worker may say nothing before its task is tried again.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            **self.environment,
        }


def _family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it, as far as they live."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
