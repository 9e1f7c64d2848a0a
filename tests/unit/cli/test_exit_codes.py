"""What the command's exit code means."""

from __future__ import annotations

import os

import pytest

from airflow_dataloader.cli.exit_codes import ExitCode, exit_code
from airflow_dataloader.control.url import read_url, resolve_url
from airflow_dataloader.exceptions import (
    ConfigurationError,
    ControlUnavailable,
    DataloaderError,
    NotMigrated,
    SourceRefused,
)


def test_the_numbers_are_what_scripts_rely_on() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 4, 5, 130]


@pytest.mark.parametrize("error", [ControlUnavailable("away"), NotMigrated("old")])
def test_a_control_database_that_cannot_be_used(error: DataloaderError) -> None:
    assert exit_code(error) == ExitCode.CONTROL


def test_a_source_that_refuses_is_a_failure() -> None:
    assert exit_code(SourceRefused("no")) == ExitCode.FAILED


def test_a_fault_of_the_configuration_is_no_fault_of_the_control_database() -> None:
    assert exit_code(ConfigurationError("no")) != ExitCode.CONTROL


@pytest.mark.parametrize(
    "environ",
    [
        {"LAKEBASE_HOST": "127.0.0.1", "LAKEBASE_PORT": "x"},
        {"LAKEBASE_HOST": "127.0.0.1", "LAKEBASE_USER": "\udcff"},
        {"DATALOADER_CONTROL_URL": "postgresql://127.0.0.1/d", "PGSERVICE": "x"},
        {"DATALOADER_CONTROL_URL": "postgresql://127.0.0.1/d", "PGSSLMODE": "x"},
        {"DATALOADER_CONTROL_URL": "postgresql://127.0.0.1/d?service=x"},
        {"DATALOADER_CONTROL_URL": "postgresql://127.0.0.1/d?sslmode=x"},
    ],
)
def test_a_mistake_in_where_the_control_database_is(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOADER_ENVIRONMENT", "npd")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        read_url(resolve_url(os.environ))
    assert exit_code(caught.value) == ExitCode.CONTROL
