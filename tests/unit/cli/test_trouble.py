"""What is raised of what is wrong elsewhere, and by whom."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from airflow_dataloader.cli.trouble import Trouble, check_control, own_settings
from airflow_dataloader.exceptions import DataloaderError

WRONG = DataloaderError("It is wrong.")


def test_without_a_command_nothing_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    check_control()
    assert own_settings().home == tmp_path


def test_each_is_raised_where_it_is_needed() -> None:
    with click.Context(click.Command("x"), obj=Trouble(control=WRONG)):
        own_settings()
        with pytest.raises(DataloaderError, match=r"It is wrong\."):
            check_control()
    with click.Context(click.Command("x"), obj=Trouble(settings=WRONG)):
        check_control()
        with pytest.raises(DataloaderError, match=r"It is wrong\."):
            own_settings()
