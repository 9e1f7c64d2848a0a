"""What is raised of what is wrong elsewhere, and by whom."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from airflow_dataloader.cli.startup_errors import StartupErrors, raise_control_error, settings_or_raise
from airflow_dataloader.exceptions import DataloaderError

WRONG = DataloaderError("It is wrong.")


def test_without_a_command_nothing_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    raise_control_error()
    assert settings_or_raise().home == tmp_path


def test_each_is_raised_where_it_is_needed() -> None:
    with click.Context(click.Command("x"), obj=StartupErrors(control=WRONG)):
        settings_or_raise()
        with pytest.raises(DataloaderError, match=r"It is wrong\."):
            raise_control_error()
    with click.Context(click.Command("x"), obj=StartupErrors(settings=WRONG)):
        raise_control_error()
        with pytest.raises(DataloaderError, match=r"It is wrong\."):
            settings_or_raise()
