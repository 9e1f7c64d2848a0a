"""One Airflow, one workspace and one Spark for all tests of loads through real processes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_dataloader.free_port import free_port
from airflow_dataloader.workspace.demo.airflow_home import AirflowHome
from airflow_dataloader.workspace.demo.connections import control_connection, databricks_connection
from tests.acceptance.airflow_parts import Airflow
from tests.acceptance.through_airflow import CANARY, Stand, record_ends
from tests.airflow_stand import Workspace, WorkspaceProcess
from tests.bench import Bench
from tests.faults.proxy import Proxy, through

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer
    from tests.conftest import Server


@pytest.fixture(scope="module")
def airflow_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The sources' server: what befalls Airflow's and the control database's does not befall it."""
    from tests.conftest import Server

    folder = Path(tempfile.mkdtemp(prefix="dataloader-source-"))
    folder.chmod(0o755)
    server = Server(folder / "postgres", fsync=False)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def airflow_bench(
    postgres: Server,
    airflow_source: Server,
    control_template: str,
    connect_server: ConnectServer,
    tmp_path_factory: pytest.TempPathFactory,
    home: Path,
) -> Iterator[Bench]:
    """Databases, Spark and a warehouse for as long as Airflow runs."""
    from airflow_dataloader.control.connect import create_engine
    from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine

    folder = tmp_path_factory.mktemp("through airflow")
    (folder / "jars").symlink_to((home / "jars").resolve())
    postgres.create("through_airflow_control", control_template)
    airflow_source.create("shop")
    control = create_engine(postgres.url("through_airflow_control"))
    record_ends(control)
    remote = connect_server.settings.remote
    with (
        psycopg.connect(airflow_source.url("shop"), autocommit=True) as source,
        closing(open_engine(EngineSettings(home=folder, remote=remote))) as engine,
    ):
        yield Bench(
            control=control, source=source, engine=engine, server=airflow_source, home=folder, remote=remote
        )
    control.dispose()


@pytest.fixture(scope="module")
def airflow_proxy(postgres: Server) -> Iterator[Proxy]:
    """What stands between Airflow, the runs and the control database."""
    with Proxy(postgres.port) as between:
        yield between


@pytest.fixture(scope="module")
def airflow_workspace_process(
    airflow_bench: Bench, airflow_proxy: Proxy, postgres: Server
) -> Iterator[WorkspaceProcess]:
    """The workspace's process, for tests that kill it; such a test starts it again."""
    control = through(postgres.url("through_airflow_control"), airflow_proxy.port)
    process = WorkspaceProcess(
        airflow_bench.home,
        **airflow_bench.secret_environment,
        DATALOADER_CONTROL_URL=control,
        SPARK_REMOTE=airflow_bench.remote,
    )
    yield process
    process.stop()


@pytest.fixture(scope="module")
def airflow_workspace(airflow_workspace_process: WorkspaceProcess) -> Workspace:
    """What the connection to Databricks leads to."""
    return airflow_workspace_process.start()


@pytest.fixture(scope="module")
def airflow(
    airflow_workspace: Workspace,
    airflow_proxy: Proxy,
    postgres: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Airflow's components, with the package's DAGs by its bundle, on a database of their own."""
    postgres.create("through_airflow")
    folder = tmp_path_factory.mktemp("airflow")
    control = through(postgres.url("through_airflow_control"), airflow_proxy.port)
    running = Airflow(
        AirflowHome(
            folder=folder,
            database_url=postgres.url("through_airflow"),
            port=free_port(),
            logs=folder / "said",
            environment={
                **control_connection(control),
                **databricks_connection(airflow_workspace.url, airflow_workspace.token),
                "AIRFLOW_CONN_CANARY": json.dumps({"conn_type": "generic", "password": CANARY}),
                "AIRFLOW__DATALOADER__POLL_SECONDS": "1",
                "AIRFLOW__DATALOADER__BATCH_SIZE": "50",
                "AIRFLOW__DATALOADER__MAX_CONCURRENT_LOADS": "50",
            },
        )
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def stand(airflow: Airflow, airflow_bench: Bench, airflow_workspace: Workspace) -> Stand:
    """All of it, with every component running."""
    for name in airflow.missing():
        airflow.begin(name)
    return Stand(airflow=airflow, bench=airflow_bench, workspace=airflow_workspace)
