"""What kind of session a process opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader.loader.engines.spark.session import EngineSettings
from airflow_dataloader.settings import Settings

HOME = Settings(home=Path("/home/x"))


@pytest.mark.parametrize(
    ("environ", "remote", "databricks", "memory"),
    [
        ({}, None, False, "2g"),
        ({"SPARK_REMOTE": ""}, None, False, "2g"),
        ({"SPARK_REMOTE": "sc://h:1"}, "sc://h:1", False, "2g"),
        ({"SPARK_DRIVER_MEMORY": "4g"}, None, False, "4g"),
        ({"DATABRICKS_RUNTIME_VERSION": "18.0", "SPARK_REMOTE": "unix:///x"}, None, True, "2g"),
    ],
)
def test_the_environment_decides(
    environ: dict[str, str], remote: str | None, databricks: bool, memory: str
) -> None:
    settings = EngineSettings.of(HOME, environ)
    assert (settings.home, settings.remote) == (Path("/home/x"), remote)
    assert (settings.databricks, settings.memory) == (databricks, memory)


def test_a_server_s_token_is_not_printed() -> None:
    assert "canary" not in repr(EngineSettings(home=Path("/h"), remote="sc://h:1/;token=canary"))
