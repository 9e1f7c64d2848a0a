from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dataloader import resources
from airflow_dataloader.exceptions import ConfigurationError


def test_finds_the_folders_of_this_checkout() -> None:
    assert (resources.sql_folder() / "migrations" / "env.py").is_file()
    assert resources.dags_folder().is_dir()
    assert (resources.spark_tasks_folder() / "load_table.py").is_file()


def test_a_wheels_folder_wins_over_a_stranger_beside_the_package(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "airflow_dataloader"
    (package / "_sql").mkdir(parents=True)
    (package.parent / "sql").mkdir()
    assert resources._find("sql", package) == package / "_sql"


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no sql folder"):
        resources._find("sql", tmp_path / "airflow_dataloader")
