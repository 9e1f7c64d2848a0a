"""The click application, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Sequence

import click

from airflow_dataloader import __version__
from airflow_dataloader.cli.db import db
from airflow_dataloader.cli.demo import demo
from airflow_dataloader.cli.doctor import doctor
from airflow_dataloader.cli.exit_codes import ExitCode, exit_code
from airflow_dataloader.cli.load import load
from airflow_dataloader.cli.maintain import maintain
from airflow_dataloader.cli.startup_errors import StartupErrors
from airflow_dataloader.cli.verify import verify
from airflow_dataloader.cli.workspace import workspace
from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.core.texts import shown_text
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.error_line import error_line
from airflow_dataloader.loader.own_secrets import all_secrets

log = logging.getLogger(__name__)

#: Modules that log, with a traceback, what the command reports itself. Looked for in a record's path: some
#: of them log by the root logger.
_REPORTED = ("/loader/settlement.py", "/loader/error_line.py", "/py4j/", "/pyspark/")

_HELP = """
Load the tables of the control database into Delta tables, exactly once.

The control database is named by DATALOADER_CONTROL_URL (postgresql://user:password@host:5432/database) or
by LAKEBASE_HOST, LAKEBASE_DATABASE, LAKEBASE_USER and LAKEBASE_PASSWORD.

\b
Exit codes:
  0    done
  1    at least one load failed, or a check did not hold
  2    the command cannot be understood, or selects nothing
  4    a row was not loaded: another load holds it or its target, or its source is paused or at
       its limit
  5    the control database cannot be reached, or is not migrated
  130  interrupted
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version")
@click.option(
    "-v", "--verbose", is_flag=True, help="Log every step on stderr, and bugs with their traceback."
)
def cli(*, verbose: bool) -> None:
    """Set logging up; the rest is the commands'."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Scrubbing("%(levelname)s %(message)s"))
    handler.addFilter(lambda record: verbose or not _is_reported(record))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("airflow_dataloader").setLevel(logging.INFO if verbose else logging.WARNING)


class _Scrubbing(logging.Formatter):
    """Writes no secret and no order to a terminal, whatever is in messages and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return shown_text(scrub(super().format(record), all_secrets(os.environ)))


def _is_reported(record: logging.LogRecord) -> bool:
    return any(part in record.pathname for part in _REPORTED)


for command in (db, demo, doctor, load, maintain, verify, workspace):
    cli.add_command(command)


def run(
    arguments: Sequence[str] | None = None, *, prepare: Callable[[], StartupErrors] = StartupErrors
) -> int:
    """Run one command and return its exit code; what goes wrong is one line on stderr, without secrets.

    ``prepare`` puts into the environment what is known elsewhere, and returns what keeps it from being known.
    """
    try:
        answer = cli.main(args=arguments, prog_name="dataloader", standalone_mode=False, obj=prepare())
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted.")
        return ExitCode.INTERRUPTED
    except DataloaderError as error:
        _say(_line_of(error))
        return exit_code(error)
    except Exception as bug:
        # A stranger reads a line; whoever mends it asks for more.
        log.info("This is where it happened:", exc_info=True)
        _say(_line_of(bug))
        return ExitCode.FAILED
    return answer if isinstance(answer, int) else ExitCode.DONE


def _line_of(error: Exception) -> str:
    """Return what is said of an error; of one that nobody raised on purpose, that it is a bug."""
    if (line := error_line(error, os.environ)) is not None:
        return line
    what = scrub(f"{type(error).__name__}: {error}".rstrip("."), all_secrets(os.environ))
    return f"Error: {what}. Fix: report what `dataloader --verbose …` says of it."


def _say(text: str) -> None:
    click.echo(shown_text(text), err=True)


def _fill_closed_streams() -> None:
    """Let what the shell has closed (``2>&-``) lead nowhere, or else a connection would get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def main() -> None:
    """Entry point of the ``dataloader`` script."""
    _fill_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show must not end a load.
            stream.reconfigure(errors="backslashreplace")
    # Whoever ends us politely gets the same orderly end as Ctrl-C.
    interrupt.listen()
    sys.exit(run())
