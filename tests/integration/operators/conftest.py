"""Everything that a load through Airflow needs, in this process: Airflow's database, workspace, Spark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from airflow_dataloader.workspace.spark.external import ExternalSpark
from tests.airflow_db import Connections
from tests.airflow_stand import Workspace, workspace_at
from tests.bench import Bench


@pytest.fixture
def workspace(
    airflow_db: str,
    bench: Bench,
    control_url: str,
    connections: Connections,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Workspace]:
    """A workspace that both of Airflow's connections lead to, with the bench's source and Spark."""
    monkeypatch.setenv("AIRFLOW__DATALOADER__POLL_SECONDS", "1")
    # The warehouse is shared by the session, and a workspace keeps its runs: a test counts its own.
    shutil.rmtree(bench.home / "workspace", ignore_errors=True)
    environment = {**bench.secret_environment, "DATALOADER_CONTROL_URL": control_url}
    with workspace_at(bench.home, ExternalSpark(bench.remote), environment) as running:
        connections.control(control_url)
        connections.databricks(running.url, running.token)
        yield running
