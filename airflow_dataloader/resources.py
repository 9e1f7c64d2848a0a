"""Where the files are that travel with the package without being Python modules of it.

In a wheel they lie below the package (``_sql``, ``_dags``, ``_spark_tasks``), in a checkout beside it. Only
this module knows that.
"""

from __future__ import annotations

from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError

_PACKAGE = Path(__file__).resolve().parent


def sql_folder() -> Path:
    """Return the folder that holds ``migrations/`` and ``queries/``."""
    return _find("sql")


def dags_folder() -> Path:
    """Return the folder of DAG files that a user may copy or point a bundle at."""
    return _find("dags")


def spark_tasks_folder() -> Path:
    """Return the folder of the files that a Spark job starts with."""
    return _find("spark_tasks")


def _find(name: str, package: Path = _PACKAGE) -> Path:
    for folder in (package / f"_{name}", package.parent / name):
        if folder.is_dir():
            return folder
    raise ConfigurationError(
        f"{package} has no {name} folder, neither inside nor beside it.",
        fix="reinstall airflow-dataloader: its wheel or checkout is incomplete",
    )
