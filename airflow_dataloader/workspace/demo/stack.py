"""Everything that the demo runs on, under one supervisor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_dataloader.control import migrate
from airflow_dataloader.workspace.demo import airflow_home, shop
from airflow_dataloader.workspace.demo.airflow_client import AirflowClient
from airflow_dataloader.workspace.demo.airflow_home import AirflowHome
from airflow_dataloader.workspace.demo.comparison import Comparison, WorkspaceDigests
from airflow_dataloader.workspace.demo.connections import control_connection, databricks_connection
from airflow_dataloader.workspace.demo.deadline import Deadline
from airflow_dataloader.workspace.demo.hangs import Hangs
from airflow_dataloader.workspace.demo.home import DemoHome
from airflow_dataloader.workspace.demo.loading import Loading
from airflow_dataloader.workspace.demo.ports import Ports
from airflow_dataloader.workspace.demo.postgres_part import PostgresPart
from airflow_dataloader.workspace.demo.reporter import Reporter
from airflow_dataloader.workspace.demo.script import DemoScript
from airflow_dataloader.workspace.demo.supervisor import Supervisor
from airflow_dataloader.workspace.demo.workspace_part import LocalWorkspace
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

DAG = "dataloader_load"

_PAUSE_SECONDS = 0.3
#: Seconds that a step of the demo's own may take; half a minute on a machine that does nothing else.
_PATIENCE = 300.0

#: What makes a demo quicker than an installation that has other things to do.
_QUICK = {
    "AIRFLOW__DATALOADER__POLL_SECONDS": "1",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
}


@dataclass(frozen=True, kw_only=True)
class DemoStack:
    """The demo's parts, running."""

    home: DemoHome
    server: EmbeddedPostgres
    workspace: LocalWorkspace
    airflow: AirflowHome
    supervisor: Supervisor
    reporter: Reporter
    hangs: Hangs

    @property
    def api(self) -> AirflowClient:
        """Airflow's API, with the login that people have too."""
        return _api_of(self.airflow)

    def show(self) -> DemoScript:
        """Return the show on this stand."""
        api = self.api
        digests = WorkspaceDigests(workspace=self.workspace.client, file=self.home.digests, pause=self.pause)
        loading = Loading(
            control_url=self.server.url(shop.CONTROL),
            trigger=lambda: api.run(DAG),
            pause=self.pause,
            reporter=self.reporter,
        )
        return DemoScript(
            # Nobody has to ask for what is due. What changed is not waited a minute for.
            load_first=loading.load_by_schedule,
            load_again=loading.load,
            compare=Comparison(
                source_url=self.server.url(shop.SHOP),
                warehouse=self.home.warehouse,
                digests=digests,
                pause=self.pause,
            ).equal,
            change=self._change_shop,
            reporter=self.reporter,
        )

    def pause(self) -> None:
        """Wait a moment; raise TransientError if a part was given up."""
        self.supervisor.check()
        self.hangs.look()
        time.sleep(_PAUSE_SECONDS)

    def fill(self) -> None:
        """Make the control database and the shop."""
        control = self.server.url(shop.CONTROL)
        deadline = self._deadline("Creating the control database and the shop")
        deadline.insist(lambda: migrate.upgrade(control, report=lambda _: None))
        deadline.insist(lambda: shop.run_once(control, "control.sql"))
        deadline.insist(lambda: shop.run_once(self.server.url(shop.SHOP), "shop.sql"))

    def empty_airflow(self) -> None:
        """Make Airflow's database anew."""
        deadline = self._deadline("Creating a database for Airflow")
        deadline.insist(lambda: shop.create_database(self.server, shop.AIRFLOW))

    def start_airflow(self) -> None:
        """Start its components and wait until all are healthy and the DAG is there."""
        for name in ("api-server", "dag-processor", "triggerer"):
            self._start(name)
        api = self.api
        deadline = self._deadline("Starting Airflow")
        # A task that finds nobody who answers waits long before it is tried again.
        deadline.until(api.answers)
        self._start("scheduler")
        deadline.until(api.healthy)
        deadline.until(lambda: deadline.insist(lambda: api.has_dag(DAG)))

    def _start(self, name: str) -> None:
        component = self.airflow.component(name)
        self.supervisor.start(component)
        self.hangs.watch(component)

    def _change_shop(self) -> None:
        deadline = self._deadline("Changing the shop")
        deadline.insist(lambda: shop.run_once(self.server.url(shop.SHOP), "changes.sql"))

    def _deadline(self, what: str) -> Deadline:
        return Deadline(what, _PATIENCE, self.pause, fix=f"see the logs in {self.home.logs}")


@contextmanager
def running(home: Path, ports: Ports, reporter: Reporter) -> Iterator[DemoStack]:
    """Start everything below a ``DATALOADER_HOME``, fresh, and end everything.

    Raises ConfigurationError if a port or the folder is taken, TransientError if a part does not stay up.
    """
    folder = DemoHome.below(home)
    with ExitStack() as stack:
        stack.enter_context(folder.taken())
        chosen = ports.chosen()
        folder.clear()
        supervisor = Supervisor(reporter.line)
        stack.callback(supervisor.stop)
        reporter.step("Starting PostgreSQL")
        server = EmbeddedPostgres(folder.postgres, ports.postgres, fsync=False)
        supervisor.start(PostgresPart(server))
        shop.create_databases(server)
        stand = _stand(folder, server, chosen, supervisor, reporter)
        reporter.step("Starting the workspace and its Spark")
        shop.put_secrets(server, stand.workspace.secrets)
        supervisor.start(stand.workspace.part())
        migration = stand.airflow.migration()
        stack.callback(migration.stop)
        migration.start()
        reporter.step("Creating a control database, and a shop with a million rows")
        stand.fill()
        reporter.step("Starting Airflow")
        airflow_home.finish(migration, stand.empty_airflow)
        stand.start_airflow()
        yield stand


def _stand(
    folder: DemoHome, server: EmbeddedPostgres, ports: Ports, supervisor: Supervisor, reporter: Reporter
) -> DemoStack:
    control = server.url(shop.CONTROL)
    workspace = LocalWorkspace(
        folder=folder.folder, port=ports.workspace, control_url=control, logs=folder.logs
    )
    client = workspace.client
    airflow = AirflowHome(
        folder=folder.airflow,
        database_url=server.url(shop.AIRFLOW),
        port=ports.page,
        environment={
            **control_connection(control),
            **databricks_connection(client.url, client.token),
            **_QUICK,
        },
        logs=folder.logs,
    )
    return DemoStack(
        home=folder,
        server=server,
        workspace=workspace,
        airflow=airflow,
        supervisor=supervisor,
        reporter=reporter,
        hangs=Hangs(_api_of(airflow).unheard, reporter.line),
    )


def _api_of(airflow: AirflowHome) -> AirflowClient:
    return AirflowClient(airflow.address, airflow_home.USER, airflow.password)
