"""Logins of sources for a load in this process."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader.cli.local_secrets import local_secrets
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.secret_store import SecretFile


def test_the_environment_comes_first_and_then_the_local_workspace_s_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATALOADER_SECRET_S_A", "environment")
    secrets = local_secrets(Settings(home=tmp_path))
    assert secrets.get("s", "b") is None
    assert not (tmp_path / "workspace").exists()
    for name in ("a", "b"):
        SecretFile(WorkspaceHome.below(tmp_path).secrets).put("s", name, "store")
    assert (secrets.get("s", "a"), secrets.get("s", "b")) == ("environment", "store")
