"""The demo's folder."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.workspace.demo.home import DemoHome
from airflow_dataloader.workspace.demo.marked_processes import Mark


def test_it_shares_the_jars_of_the_home_above_it(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    (tmp_path / "jars" / "one.jar").touch()
    for _ in range(2):
        home = DemoHome.below(tmp_path)
    assert home.folder == tmp_path / "demo"
    assert (home.folder / "jars" / "one.jar").exists()


def test_one_at_a_time(tmp_path: Path) -> None:
    home = DemoHome.below(tmp_path)
    with home.taken(), pytest.raises(ConfigurationError, match="Another demo runs in"), home.taken():
        pass
    with home.taken():
        pass


def test_what_an_earlier_demo_has_left_is_ended(tmp_path: Path) -> None:
    home = DemoHome.below(tmp_path)
    mark = Mark(home.folder / "airflow", "scheduler")
    with subprocess.Popen(["sleep", "600"], env={**os.environ, **mark.environment()}) as left:
        with home.taken():
            assert left.poll() is not None
        assert mark.processes() == []


def test_what_it_was_is_removed_but_for_what_stays(tmp_path: Path) -> None:
    home = DemoHome.below(tmp_path)
    for folder in (home.warehouse, home.folder / "workspace", home.logs, home.airflow, home.postgres):
        folder.mkdir()
        (folder / "file").touch()
    home.clear()
    assert {path.name for path in home.folder.iterdir()} == {"jars", "airflow", "postgres", "logs"}
    assert (home.airflow / "file").exists()
    assert list(home.logs.iterdir()) == []
    assert stat.S_IMODE(home.logs.stat().st_mode) == 0o700
