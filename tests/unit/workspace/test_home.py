"""The workspace's folder."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.home import WorkspaceHome


def test_nobody_else_may_enter_it(tmp_path: Path) -> None:
    home = WorkspaceHome.below(tmp_path)
    assert home.folder == tmp_path / "workspace"
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


def test_one_that_is_there_is_closed(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace").chmod(0o755)
    assert stat.S_IMODE(WorkspaceHome.below(tmp_path).folder.stat().st_mode) == 0o700


def test_one_whose_file_system_keeps_no_modes_is_used_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, mode: int) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    folder = tmp_path / "workspace"
    folder.mkdir()
    folder.chmod(0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    assert WorkspaceHome.below(tmp_path).folder == folder
    assert f"Other users may enter {folder}" in caplog.text


def test_another_user_s_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = WorkspaceHome.below(tmp_path).folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigurationError, match="belongs to another user") as caught:
        WorkspaceHome.below(tmp_path)
    assert caught.value.field == "DATALOADER_HOME"


def test_one_at_a_time(tmp_path: Path) -> None:
    home = WorkspaceHome.below(tmp_path)
    with home.taken():
        with pytest.raises(ConfigurationError, match="Another workspace runs in") as caught, home.taken():
            pass
        assert caught.value.field == "DATALOADER_HOME"
    with home.taken():
        pass


def test_others_find_the_address(tmp_path: Path) -> None:
    home = WorkspaceHome.below(tmp_path)
    assert home.last_url() is None
    home.publish("http://127.0.0.1:20000")
    assert WorkspaceHome.below(tmp_path).last_url() == "http://127.0.0.1:20000"
    assert stat.S_IMODE(home.address.stat().st_mode) == 0o600


@pytest.mark.parametrize("broken", ["", "{", "{}", "[]", "null", "7", "[" * 100_000, '{"url": 7}'])
def test_an_address_that_cannot_be_read_is_none(tmp_path: Path, broken: str) -> None:
    home = WorkspaceHome.below(tmp_path)
    home.address.write_text(broken)
    assert home.last_url() is None
