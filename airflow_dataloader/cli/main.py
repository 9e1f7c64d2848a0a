"""The click application, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click

from airflow_dataloader import __version__
from airflow_dataloader.cli.db import db
from airflow_dataloader.cli.demo import demo
from airflow_dataloader.cli.doctor import doctor
from airflow_dataloader.cli.exit_codes import ExitCode, exit_code
from airflow_dataloader.cli.load import load
from airflow_dataloader.exceptions import DataloaderError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version")
@click.option("-v", "--verbose", is_flag=True, help="Log every step, not only warnings.")
def cli(*, verbose: bool) -> None:
    """Load the tables of the control database into Delta tables, exactly once."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


for command in (db, demo, doctor, load):
    cli.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one line on stderr, no traceback."""
    try:
        answer = cli.main(args=arguments, prog_name="dataloader", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except DataloaderError as error:
        click.echo(f"Error: {error}", err=True)
        return exit_code(error)
    return answer if isinstance(answer, int) else ExitCode.DONE


def main() -> None:
    """Entry point of the ``dataloader`` script."""
    sys.exit(run())
