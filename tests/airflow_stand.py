"""A workspace behind Airflow's connection, and what the load DAG's tests ask of both."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from airflow_dataloader.workspace.service import WorkspaceSettings, running
from airflow_dataloader.workspace.spark.protocol import Spark

#: A task that does as its parameters say, without Spark.
SCRIPT = """
import sys, time
what, much = sys.argv[1:]
if what == "sleep":
    time.sleep(float(much))
else:
    sys.exit(int(much))
"""


@dataclass(frozen=True)
class Workspace:
    """A running workspace, with faults to order."""

    url: str
    #: Its owner's.
    token: str

    def order(self, kind: str, **fault: Any) -> None:
        """Let the next request meet a fault."""
        self.post("/faults", {"faults": [{"kind": kind, **fault}]})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask with the owner's token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.post(f"{self.url}{path}", json=dict(body), headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def submit(self, script: Path, *parameters: str, **more: Any) -> int:
        """Start a run of the test's own."""
        task = {
            "task_key": "t",
            "spark_python_task": {"python_file": str(script), "parameters": list(parameters)},
        }
        body = {"run_name": "test", "tasks": [task], **more}
        return int(self.post("/api/2.2/jobs/runs/submit", body)["run_id"])

    def run(self, run_id: int) -> dict[str, Any]:
        """Return what the Jobs API says of a run."""
        return self._ask("get", run_id=run_id)

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs that were ever submitted, newest first."""
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next_page_token": ""}
        while (token := page.get("next_page_token")) is not None:
            page = self._ask("list", limit=25, **({"page_token": token} if token else {}))
            found += page.get("runs", [])
        return found

    def _ask(self, what: str, **question: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx.get(
            f"{self.url}/api/2.2/jobs/runs/{what}", headers=headers, params=question, timeout=60
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@contextmanager
def workspace_at(
    home: Path, spark: Spark, environment: Mapping[str, str] | None = None
) -> Iterator[Workspace]:
    """Run a workspace in this process."""
    chosen = WorkspaceSettings(
        home=home, faults=True, max_concurrent_runs=2, environment={**os.environ, **(environment or {})}
    )
    with running(chosen, lambda _: spark) as state:
        yield Workspace(url=state.context.url, token=state.owner_token)


class WorkspaceProcess:
    """A workspace as a command of its own, for tests that kill it."""

    def __init__(self, home: Path, **environment: str) -> None:
        self._home = home
        self._environment = {**os.environ, "DATALOADER_HOME": str(home), **environment}
        self._process: subprocess.Popen[str] | None = None
        self._log = home / "workspace.log"

    def start(self) -> Workspace:
        """Start it, where the last one of this home has listened, and wait until it answers."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("dataloader"), "workspace", "--faults"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        assert url, self._log.read_text()
        return Workspace(url=url, token=(self._home / "workspace" / "token").read_text().strip())

    def kill(self) -> None:
        """End it as a machine that fails does; its runs are processes of their own."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)
