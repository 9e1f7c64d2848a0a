"""One Airflow, one workspace and one Spark for all tests of loads through real processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest

from airflow_dataloader.workspace.free_port import free_port
from airflow_dataloader.workspace.spark.given import GivenSpark
from tests.acceptance.airflow_parts import Airflow
from tests.acceptance.through_airflow import Stand
from tests.airflow_stand import Workspace, workspace_at
from tests.bench import Bench
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer
    from tests.conftest import Server


@pytest.fixture(scope="session")
def airflow_bench(
    postgres: Server,
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
    postgres.create("through_airflow_source")
    control = create_engine(postgres.url("through_airflow_control"))
    remote = connect_server.settings.remote
    with (
        psycopg.connect(postgres.url("through_airflow_source"), autocommit=True) as source,
        closing(open_engine(EngineSettings(home=folder, remote=remote))) as engine,
    ):
        yield Bench(
            control=control, source=source, engine=engine, server=postgres, home=folder, remote=remote
        )
    control.dispose()


@pytest.fixture(scope="session")
def airflow_proxy(postgres: Server) -> Iterator[Proxy]:
    """What stands between Airflow, the runs and the control database."""
    with Proxy(postgres.port) as between:
        yield between


@pytest.fixture(scope="session")
def airflow_workspace(airflow_bench: Bench, airflow_proxy: Proxy, postgres: Server) -> Iterator[Workspace]:
    """A workspace in this process; its runs are processes of their own."""
    control = postgres.url("through_airflow_control").replace(f":{postgres.port}/", f":{airflow_proxy.port}/")
    environment = {**airflow_bench.secret_environment, "DATALOADER_CONTROL_URL": control}
    with workspace_at(airflow_bench.home, GivenSpark(airflow_bench.remote), environment) as running:
        yield running


@pytest.fixture(scope="session")
def airflow(
    airflow_workspace: Workspace,
    airflow_proxy: Proxy,
    postgres: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Airflow's components, with the package's DAGs by its bundle, on a database of their own."""
    postgres.create("through_airflow")
    control = urlsplit(postgres.url("through_airflow_control"))
    workspace = urlsplit(airflow_workspace.url)
    connections = {
        "DATALOADER_CONTROL": {
            "conn_type": "dataloader_control",
            "host": control.hostname,
            "port": airflow_proxy.port,
            "schema": control.path.removeprefix("/"),
            "login": control.username,
            "password": control.password,
        },
        "DATABRICKS_DEFAULT": {
            "conn_type": "databricks",
            "host": workspace.hostname,
            "port": workspace.port,
            "schema": workspace.scheme,
            "password": airflow_workspace.token,
        },
    }
    environment = {f"AIRFLOW_CONN_{name}": json.dumps(fields) for name, fields in connections.items()}
    running = Airflow(
        home=tmp_path_factory.mktemp("airflow"),
        url=postgres.url("through_airflow"),
        port=free_port(),
        environment={
            **environment,
            "AIRFLOW__DATALOADER__POLL_SECONDS": "1",
            "AIRFLOW__DATALOADER__BATCH_SIZE": "50",
            "AIRFLOW__DATALOADER__MAX_CONCURRENT_LOADS": "50",
        },
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
