"""A folder that only one process uses at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.folder_lock import locked

WORDS = {"taken": "Somebody has it.", "fix": "wait"}


def test_the_second_is_told_what_to_do(tmp_path: Path) -> None:
    with (
        locked(tmp_path, **WORDS),
        pytest.raises(ConfigurationError, match=r"Somebody has it\..*wait") as caught,
        locked(tmp_path, **WORDS),
    ):
        pass
    assert caught.value.field == "DATALOADER_HOME"
    with locked(tmp_path, **WORDS):
        assert oct((tmp_path / "lock").stat().st_mode & 0o777) == "0o600"


def test_it_is_held_as_long_as_a_process_has_the_descriptor(tmp_path: Path) -> None:
    with locked(tmp_path, **WORDS) as descriptor:
        heir = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(descriptor,)
        )
    with pytest.raises(ConfigurationError), locked(tmp_path, **WORDS):
        pass
    heir.communicate(b"\n")
    with locked(tmp_path, **WORDS):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]
