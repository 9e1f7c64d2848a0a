"""What kind of session a process opens."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark.session import EngineSettings, _hide_requests, _set_up
from airflow_dataloader.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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


def test_a_request_of_spark_s_client_is_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pyspark.sql.connect.logging import logger

    monkeypatch.setattr(logger, "disabled", False)
    with caplog.at_level(logging.DEBUG, logger.name):
        for _ in range(2):
            _hide_requests()
        logger.debug("ExecuteAndFetchAsIterator. Request: canary")
        logger.info("Retrying")
    assert [record.getMessage() for record in caplog.records] == ["Retrying"]


class Serverless:
    """A session of a compute that lets nobody change a setting."""

    def __init__(self) -> None:
        self.conf = self
        self.ended = 0

    def set(self, name: str, value: str) -> None:
        raise RuntimeError(f"[CONFIG_NOT_AVAILABLE] Configuration {name} is not available.")

    def get(self, name: str) -> str:
        return "another"

    def stop(self) -> None:
        self.ended += 1


def test_a_session_that_does_not_take_our_settings_is_ended() -> None:
    session = Serverless()
    with pytest.raises(ConfigurationError, match="does not let a session set"):
        _set_up(cast("SparkSession", session), session.stop)
    assert session.ended == 1
