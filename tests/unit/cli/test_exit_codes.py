"""What the command's exit code means."""

from __future__ import annotations

import pytest

from airflow_dataloader.cli.exit_codes import ExitCode, exit_code
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
