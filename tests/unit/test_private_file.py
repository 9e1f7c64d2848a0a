"""Files for one pair of eyes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from airflow_dataloader.private_file import open_private_log, write_private


@pytest.fixture
def _open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
def test_only_its_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("_open_umask")
def test_a_log_is_its_owner_s_and_grows(tmp_path: Path) -> None:
    path = tmp_path / "task.log"
    path.touch(0o644)
    for line in (b"one\n", b"two\n"):
        with open_private_log(path) as log:
            log.write(line)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"one\ntwo\n", 0o600)


def test_a_file_that_others_may_read_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new ü")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == "new ü"


def test_what_cannot_be_written_leaves_the_old_text_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
