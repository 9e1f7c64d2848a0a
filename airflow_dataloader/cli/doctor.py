"""``dataloader doctor``: says whether everything is here that a load needs."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable

import click

from airflow_dataloader.cli.control import control_url
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.control import migrate as schema
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.settings import Settings


@click.command()
def doctor() -> int:
    """Check Python, Java, jars and the control database; exit 1 if a load could not run here."""
    checks: dict[str, Callable[[], str]] = {
        "Python": platform.python_version,
        "Spark": _spark,
        "Java": lambda: str(java_home()),
        "jars": _jars,
        "control database": _control,
    }
    # Every check runs, also after one that failed.
    passed = min([_passes(name, check) for name, check in checks.items()])
    return ExitCode.DONE if passed else ExitCode.FAILED


def _passes(name: str, check: Callable[[], str]) -> bool:
    try:
        click.echo(f"ok    {name}: {check()}")
    except (DataloaderError, ImportError) as error:
        click.echo(f"FAIL  {name}: {error}")
        return False
    return True


def _spark() -> str:
    from importlib.metadata import version

    return f"pyspark {version('pyspark')}"


def _jars() -> str:
    home = Settings.from_environment(os.environ).home
    found = jars.ensure(("delta", "postgresql"), home)
    return f"{len(found)} in {home / 'jars'}"


def _control() -> str:
    found = schema.status(control_url())
    if found.pending:
        needed = f"revision {found.current or 'none'}, needed {found.head}."
        raise DataloaderError(needed, fix="run `dataloader db migrate`")
    return f"revision {found.current}"
