"""Airflow's four components as processes of a test: started, killed, frozen, replaced."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

import psutil

from airflow_dataloader.exceptions import TransientError
from airflow_dataloader.workspace.demo.airflow_client import AirflowClient
from airflow_dataloader.workspace.demo.airflow_home import COMPONENTS, USER, AirflowHome
from airflow_dataloader.workspace.demo.part import ProcessPart
from tests.waiting import eventually

DAG = "dataloader_load"

#: Seconds until a component must be there; the machine may be busy.
PATIENCE = 240.0


@dataclass
class Airflow:
    """An installation of Airflow and its processes."""

    installation: AirflowHome
    parts: dict[str, ProcessPart] = field(default_factory=dict)
    _client: AirflowClient | None = None

    @property
    def client(self) -> AirflowClient:
        """Its API, asked as its administrator."""
        if self._client is None:
            self._client = AirflowClient(self.installation.address, USER, self.installation.password)
        return self._client

    def start(self) -> None:
        """Create the database's tables, start all components, and wait until they are healthy."""
        self.installation.migrate()
        # A task that finds nobody who answers waits long before it is tried again.
        self.begin("api-server")
        eventually("Airflow's API", self.client.answers, seconds=PATIENCE)
        self.begin("dag-processor")
        for dag_id in (DAG, "dataloader_maintain"):
            eventually(dag_id, partial(self.client.has_dag, dag_id), seconds=PATIENCE)
        # Before a scheduler could start it: its run would take a fault that was ordered for a load's.
        self.ask("PATCH", "/dags/dataloader_maintain", {"is_paused": True})
        for name in self.missing():
            self.begin(name)
        eventually("Airflow's health", self.client.healthy, seconds=PATIENCE)

    def begin(self, name: str) -> None:
        """Start one component."""
        self.parts.setdefault(name, self.installation.component(name)).start()

    def kill(self, name: str) -> None:
        """End a component and its children as a machine that fails does."""
        self.parts[name].mark.kill()

    def revive(self) -> None:
        """Start what has died again, as whoever looks after the processes does, until all are healthy."""

        def revived() -> bool:
            for name in self.missing():
                self.begin(name)
            return self.client.healthy()

        eventually("Airflow's health", revived, seconds=PATIENCE)

    def missing(self) -> list[str]:
        """Return the components that do not run."""
        return [name for name in COMPONENTS if name not in self.parts or not self.parts[name].running]

    def tasks(self) -> list[psutil.Process]:
        """Return the processes that run a task just now: what the executor's workers have forked."""
        workers = psutil.Process(self.parts["scheduler"].pid).children()
        return [task for worker in workers for task in worker.children()]

    def kill_tasks(self, *, with_workers: bool = False) -> None:
        """Kill what runs a task just now, of which there must be something."""
        tasks = self.tasks()
        assert tasks, "no task runs"
        parents = [task.parent() for task in tasks] if with_workers else []
        for process in (*parents, *tasks):
            if process is not None:
                # A claim on its schedule may end by itself meanwhile.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def freeze(self, name: str) -> None:
        """Stop a component in the middle of whatever it does."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        self._signal(name, signal.SIGCONT)

    def record(self, run: str, map_index: int) -> dict[str, Any]:
        """Return what a load task has recorded of its load."""
        task = self._task(run, map_index).rsplit("/", 1)[0]
        found = self.ask("GET", f"{task}/xcomEntries/load_record?map_index={map_index}&deserialize=true")
        return dict(found["value"])

    def links(self, run: str, map_index: int) -> dict[str, Any]:
        """Return what stands beside a load task, by name."""
        task = self._task(run, map_index).rsplit("/", 1)[0]
        found = self.ask("GET", f"{task}/links?map_index={map_index}")
        return dict(found["extra_links"])

    def asset_events(self, run: str) -> list[dict[str, Any]]:
        """Return the events that a run's tasks have written."""
        found = self.ask("GET", f"/assets/events?source_dag_id={DAG}&source_run_id={quote(run, safe='')}")
        return list(found["asset_events"])

    def menu(self) -> dict[str, str]:
        """Return where the entries of the package's plugin in the navigation lead, by name."""
        (plugin,) = (one for one in self.ask("GET", "/plugins")["plugins"] if one["name"] == "dataloader")
        return {view["name"]: view["href"] for view in plugin["external_views"]}

    def stop(self) -> None:
        """End all components, and whatever they have started."""
        for part in self.parts.values():
            part.ask_to_stop()
        for part in self.parts.values():
            part.stop()

    def log(self, name: str) -> str:
        """Return what a component has said."""
        return self.parts[name].log_file.read_text(errors="replace")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask the REST API, as its administrator."""
        return self.client.ask(method, path, body)

    def run(self) -> str:
        """Have the DAG run now; return the run's id."""
        return self.client.run(DAG)

    def task(self, run: str, map_index: int) -> dict[str, Any]:
        """Return a load task; one that is not mapped yet has no state."""
        try:
            answer = self.client.request("GET", self._task(run, map_index))
        except TransientError:
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

    def _signal(self, name: str, number: signal.Signals) -> None:
        for process in self.parts[name].mark.processes():
            process.send_signal(number)
