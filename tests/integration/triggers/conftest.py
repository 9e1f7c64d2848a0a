"""A workspace whose runs do as they are told, for triggers to wait for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dataloader.triggers import control as pool
from tests.airflow_db import Connections
from tests.airflow_stand import SCRIPT, Workspace, workspace_at
from tests.no_spark import NoSpark


@pytest.fixture
def workspace(
    tmp_path: Path, control_url: str, connections: Connections, airflow_db: str
) -> Iterator[Workspace]:
    with workspace_at(tmp_path, NoSpark()) as running:
        connections.control(control_url)
        connections.databricks(running.url, running.token)
        yield running
    pool._engines.clear()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "task.py"
    path.write_text(SCRIPT)
    return path
