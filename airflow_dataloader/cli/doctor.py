"""``dataloader doctor``: says whether everything is here that a load needs."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import click

from airflow_dataloader.cli.control import control_url
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.startup_errors import settings_or_raise
from airflow_dataloader.control import migrate as schema
from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.core.texts import shown_text
from airflow_dataloader.exceptions import DataloaderError, EngineFailed
from airflow_dataloader.loader.engines.spark import jars
from airflow_dataloader.loader.engines.spark.java import java_home
from airflow_dataloader.loader.engines.spark.remote import check_remote, remote_of
from airflow_dataloader.loader.error_line import error_line
from airflow_dataloader.loader.own_secrets import all_secrets

log = logging.getLogger(__name__)

#: How long a Spark server may take for a word.
_ANSWER_SECONDS = 5.0

_NOT_OURS = "not needed, Spark is the server of SPARK_REMOTE"


@click.command()
def doctor() -> int:
    """Say whether everything is here that a load needs.

    Checks Python, Spark (the server of SPARK_REMOTE is asked), Java, the jars (fetched if missing), the
    control database's schema and the role's rights there; changes nothing else. With SPARK_REMOTE, Java and
    jars are that server's, and not needed here. Exit code 1 if one of them would stop a load on this machine.
    """
    checks: dict[str, Callable[[], str]] = {
        "Python": platform.python_version,
        "Spark": _spark,
        "Java": _java,
        "jars": _jars,
        "control database": _control,
    }
    # Every check runs, also after one that failed.
    passed = min([_passes(name, check) for name, check in checks.items()])
    return ExitCode.DONE if passed else ExitCode.FAILED


def _passes(name: str, check: Callable[[], str]) -> bool:
    try:
        click.echo(f"ok    {name}: {check()}")
    except Exception as error:
        log.info("This is where it happened:", exc_info=True)
        click.echo(shown_text(f"FAIL  {name}: {_sentence(error)}"))
        return False
    return True


def _sentence(error: Exception) -> str:
    if isinstance(error, PackageNotFoundError):
        return f"{error.name} is not installed. Fix: pip install 'airflow-dataloader[local]'."
    if (line := error_line(error, os.environ)) is not None:
        return line.removeprefix("Error: ")
    text = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
    return scrub(text, all_secrets(os.environ))


def _spark() -> str:
    installed = f"pyspark {version('pyspark')}"
    if (remote := remote_of(os.environ)) is None:
        return f"{installed}, runs in the loading process"
    check_remote(os.environ)
    from airflow_dataloader.workspace.spark.sessions import ask_version

    try:
        ask_version(remote, seconds=_ANSWER_SECONDS)
    except EngineFailed as error:
        fix = "see that the server runs, and that SPARK_REMOTE holds its address and its token"
        raise EngineFailed(error.message, field="SPARK_REMOTE", fix=fix) from error
    return f"{installed}, the server of SPARK_REMOTE answers"


def _java() -> str:
    return _NOT_OURS if remote_of(os.environ) else str(java_home())


def _jars() -> str:
    home = settings_or_raise().home
    if remote_of(os.environ):
        return _NOT_OURS
    found = jars.ensure(jars.DEFAULT, home)
    return f"{len(found)} in {home / 'jars'}"


def _control() -> str:
    found = schema.status(control_url())
    if found.current != found.head:
        fix = "run `dataloader db migrate`" if found.pending else "install a newer version of this package"
        raise DataloaderError(f"version {found.current or 'none'}, needed {found.head}.", fix=fix)
    if missing := schema.missing_rights(control_url()):
        raise DataloaderError(
            f"the role of the URL lacks {', '.join(missing)}.", fix="grant it to the role, or use another"
        )
    return f"version {found.current}"
