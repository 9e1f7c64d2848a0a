"""A workspace in this process, with the session's Spark, and two clients that others wrote."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from airflow_dataloader.workspace.app_state import AppState
from airflow_dataloader.workspace.service import WorkspaceSettings, running
from airflow_dataloader.workspace.spark.external import ExternalSeat, ExternalSpark
from airflow_dataloader.workspace.spark.protocol import Spark
from tests.no_spark import NoSpark
from tests.waiting import until

if TYPE_CHECKING:
    from airflow.providers.databricks.hooks.databricks import DatabricksHook
    from databricks.sdk import WorkspaceClient

    from airflow_dataloader.loader.engines.spark.server import ConnectServer

#: A task that does as its parameters say; none of it needs Spark.
SCRIPT = """
import os, signal, subprocess, sys, time
what, *rest = sys.argv[1:]
print("task", what, *rest, flush=True)
if what == "sleep":
    time.sleep(float(rest[0]))
elif what == "fail":
    raise ValueError(" ".join(rest))
elif what == "exit":
    sys.exit(int(rest[0]))
elif what == "environment":
    print(*(f"{name}={os.environ.get(name)}" for name in rest), sep="\\n")
elif what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("ignores SIGTERM", flush=True)
    time.sleep(600)
elif what == "await":
    path, code = rest
    while not os.path.exists(path):
        time.sleep(0.05)
    print("awaited", flush=True)
    sys.exit(int(code))
elif what == "touch":
    open(rest[0], "w").close()
elif what == "child":
    child = subprocess.Popen(["sleep", "600"])
    print("child", child.pid, flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Client:
    """Asks a workspace over HTTP."""

    url: str
    token: str = field(repr=False)
    script: Path

    @property
    def http(self) -> httpx.Client:
        """Requests with the owner's token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def task(self, *parameters: str, key: str = "t", **more: Any) -> dict[str, Any]:
        """Return a task that runs the script."""
        script = {"python_file": str(self.script), "parameters": list(parameters)}
        return {"task_key": key, "spark_python_task": script, **more}

    def submit(self, *parameters: str, **more: Any) -> int:
        """Submit a run of one task."""
        return self.submit_body({"run_name": "test", "tasks": [self.task(*parameters)], **more})

    def submit_body(self, body: Mapping[str, Any]) -> int:
        answer = self.http.post("/api/2.2/jobs/runs/submit", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["run_id"])

    def get(self, run_id: int) -> dict[str, Any]:
        answer = self.http.get("/api/2.2/jobs/runs/get", params={"run_id": run_id})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def output(self, run_id: int) -> dict[str, Any]:
        answer = self.http.get("/api/2.2/jobs/runs/get-output", params={"run_id": run_id})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def cancel(self, run_id: int) -> None:
        answer = self.http.post("/api/2.2/jobs/runs/cancel", json={"run_id": run_id})
        assert answer.json() == {}

    def life_cycle(self, run_id: int) -> str:
        return str(self.get(run_id)["state"]["life_cycle_state"])

    def wait(self, run_id: int) -> dict[str, Any]:
        """Return the run when it has ended."""
        until(lambda: self.get(run_id)["status"]["state"] == "TERMINATED")
        return self.get(run_id)

    def said(self, run_id: int, text: str) -> None:
        """Wait until the run has written a text."""
        until(lambda: text in self.output(run_id)["logs"])


@dataclass(frozen=True, kw_only=True)
class Workspace(Client):
    """A workspace in this process."""

    state: AppState

    def process(self, run_id: int) -> psutil.Process:
        """Return the process that leads the run's only task."""
        run = self.state.context.store.run(run_id)
        assert run is not None
        return psutil.Process(run.tasks[0].pid)


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks") / "task.py"
    path.write_text(SCRIPT)
    return path


Start = Callable[..., Workspace]


class Counted(NoSpark):
    """Spark that no run uses either, and that knows what it gave and got back."""

    def __init__(self) -> None:
        super().__init__()
        self.given = 0
        #: Sessions that were ended, in order.
        self.ended: list[str] = []
        #: Those of them that nobody had to be sure of.
        self.released: list[str] = []

    def take_seat(self) -> CountedSeat:
        self.given += 1
        return CountedSeat("sc://localhost:1", self)


@dataclass(frozen=True)
class CountedSeat(ExternalSeat):
    spark: Counted

    def end(self, session: str) -> None:
        self.spark.ended.append(session)

    def release(self, session: str) -> None:
        self.spark.released.append(session)
        super().release(session)


@contextmanager
def starting(home: Path, script: Path, spark: Spark) -> Iterator[Start]:
    """Yield what starts workspaces, and stop them at the end."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Workspace:
            chosen = WorkspaceSettings(**{"home": home, "environment": dict(os.environ)} | settings)
            state = stack.enter_context(running(chosen, lambda _: spark))
            return Workspace(state=state, url=state.context.url, token=state.owner_token, script=script)

        yield start


@pytest.fixture
def start(tmp_path: Path, script: Path) -> Iterator[Start]:
    """Start a workspace of this test's own, for runs that do not use Spark."""
    with starting(tmp_path, script, NoSpark()) as begin:
        yield begin


@pytest.fixture(scope="module")
def workspace(
    tmp_path_factory: pytest.TempPathFactory, script: Path, connect_server: ConnectServer
) -> Iterator[Workspace]:
    """A workspace for all tests of a module, with the session's Spark server."""
    home = tmp_path_factory.mktemp("workspace")
    with starting(home, script, ExternalSpark(connect_server.settings.remote)) as begin:
        yield begin(max_concurrent_runs=4, faults=True)


@pytest.fixture
def sdk(workspace: Workspace) -> WorkspaceClient:
    """Databricks' own client."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(host=workspace.url, token=workspace.state.owner_token)


@pytest.fixture
def hook(workspace: Workspace) -> DatabricksHook:
    """Airflow's own client."""
    from airflow.models import Connection
    from airflow.providers.databricks.hooks.databricks import DatabricksHook

    host, port = workspace.url.removeprefix("http://").split(":")
    hook = DatabricksHook(retry_delay=0.1)
    hook.__dict__["databricks_conn"] = Connection(
        conn_id="databricks_default",
        conn_type="databricks",
        host=host,
        schema="http",
        port=int(port),
        password=workspace.state.owner_token,
    )
    return hook
