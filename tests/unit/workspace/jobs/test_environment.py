"""What a task's process is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_dataloader import resources
from airflow_dataloader.workspace.jobs.environment import TaskPlace, find_python_file, task_environment

PLACE = TaskPlace(
    run_id=7,
    home=Path("/home/x"),
    url="http://127.0.0.1:20000",
    token="dapi1",
    spark_remote="sc://localhost:1/;token=t;session_id=s",
)


def test_the_place_wins_and_what_belongs_to_others_is_left_out() -> None:
    base = {
        "PATH": "/bin",
        "DATALOADER_CONTROL_URL": "postgresql://u:p@h/d",
        "DATALOADER_SECRET_A_B": "x",
        "DATALOADER_HOME": "/elsewhere",
        "AIRFLOW__DATALOADER__HOME": "/elsewhere",
        "AIRFLOW__DATALOADER__LEASE_SECONDS": "60",
        "AIRFLOW__CORE__FERNET_KEY": "x",
        "AIRFLOW_CONN_SHOP": "x",
        "DATABRICKS_RUNTIME_VERSION": "18",
        "DATABRICKS_TOKEN": "owner's",
        "PYTHONPATH": "/elsewhere",
    }
    assert task_environment(base, PLACE) == {
        "PATH": "/bin",
        "DATALOADER_CONTROL_URL": "postgresql://u:p@h/d",
        "DATALOADER_SECRET_A_B": "x",
        "AIRFLOW__DATALOADER__LEASE_SECONDS": "60",
        "DATALOADER_HOME": "/home/x",
        "AIRFLOW__DATALOADER__HOME": "/home/x",
        "DATALOADER_RUN_ID": "7",
        "DATALOADER_WORKSPACE_HOST": "127.0.0.1:20000",
        "DATABRICKS_HOST": "http://127.0.0.1:20000",
        "DATABRICKS_TOKEN": "dapi1",
        "SPARK_REMOTE": "sc://localhost:1/;token=t;session_id=s",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


def test_a_task_says_any_name_whatever_the_machine_s_language_is() -> None:
    latin = {**os.environ, "LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    said = subprocess.run(
        [sys.executable, "-c", r"print('\u2603 \ud800')"],
        env=task_environment(latin, PLACE),
        capture_output=True,
        check=True,
    )
    assert said.stdout.decode() == "\u2603 \\ud800\n"


def test_a_place_shows_no_token() -> None:
    assert "dapi1" not in repr(PLACE)
    assert "token=t" not in repr(PLACE)


class TestPythonFile:
    def test_a_path_of_this_machine(self, tmp_path: Path) -> None:
        path = tmp_path / "a.py"
        assert find_python_file(str(path), tmp_path) is None
        path.touch()
        assert find_python_file(str(path), tmp_path) == path

    def test_a_path_of_the_workspace(self, tmp_path: Path) -> None:
        path = tmp_path / "Users" / "a.py"
        path.parent.mkdir()
        path.touch()
        assert find_python_file("/Workspace/Users/a.py", tmp_path) == path
        assert find_python_file("/Workspace/Users/b.py", tmp_path) is None

    @pytest.mark.parametrize("root", ["Shared/dataloader", "Users/a@b.c"])
    def test_the_installed_package_s_own_task_stands_in(self, tmp_path: Path, root: str) -> None:
        ours = resources.spark_tasks_folder() / "load_table.py"
        assert find_python_file(f"/Workspace/{root}/spark_tasks/load_table.py", tmp_path) == ours
        assert find_python_file(f"/Workspace/{root}/other/load_table.py", tmp_path) is None

    def test_a_deployed_one_comes_first(self, tmp_path: Path) -> None:
        deployed = tmp_path / "x" / "spark_tasks" / "load_table.py"
        deployed.parent.mkdir(parents=True)
        deployed.touch()
        assert find_python_file("/Workspace/x/spark_tasks/load_table.py", tmp_path) == deployed

    def test_nothing_outside_of_the_workspace_is_in_it(self, tmp_path: Path) -> None:
        files = tmp_path / "files"
        files.mkdir()
        (tmp_path / "a.py").touch()
        assert find_python_file("/Workspace/../a.py", files) is None
