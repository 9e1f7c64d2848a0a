"""The environment that the demo's workspace, and so each of its runs, is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader.settings import PREFIXES, Settings
from airflow_dataloader.workspace.demo.workspace_part import LocalWorkspace


def test_a_user_s_own_settings_have_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for option in Settings.options():
        for prefix in PREFIXES:
            monkeypatch.setenv(f"{prefix}{option.name.upper()}", "7")
    monkeypatch.setenv("DATALOADER_IVY_SETTINGS", "ivy.xml")
    part = LocalWorkspace(folder=tmp_path, port=1, control_url="postgresql://own", logs=tmp_path).part()
    found = {name: value for name, value in part.spec.environment.items() if name.startswith(PREFIXES)}
    assert found == {
        "AIRFLOW__DATALOADER__HOME": str(tmp_path),
        "DATALOADER_HOME": str(tmp_path),
        "DATALOADER_CONTROL_URL": "postgresql://own",
        "DATALOADER_IVY_SETTINGS": "ivy.xml",
    }
