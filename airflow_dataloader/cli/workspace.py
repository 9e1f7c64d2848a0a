"""``dataloader workspace``: the local workspace, and its secrets."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
from functools import partial
from pathlib import Path
from types import ModuleType

import click

from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.local_engine import check_engine
from airflow_dataloader.cli.startup_errors import raise_control_error, settings_or_raise
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark.remote import remote_of
from airflow_dataloader.loader.own_secrets import all_secrets
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.no_proxy import bypass_proxies
from airflow_dataloader.workspace.secret_store import LONGEST, SecretFile, not_utf8, wrong_size
from airflow_dataloader.workspace.spark.protocol import Spark, SparkServer

_HELP = """
Run a workspace on this machine that speaks the part of the Databricks REST API that loads need, and really
runs them with Spark and Delta. The first line that it prints is its address.

It listens on 127.0.0.1 only. Its owner's token is in workspace/token below DATALOADER_HOME, its address in
workspace/workspace.json. Spark is that of SPARK_REMOTE, else a server of its own. Ctrl-C or SIGTERM ends it
and all that it started.
"""

_MIB = 1024 * 1024

#: The longest one, which is no part of a secret that ends with it.
_LINE_END = b"\r\n"


def _memory(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """Return the text if Java takes it for a size."""
    if not re.fullmatch(r"[1-9][0-9]*[kKmMgGtT]", text):
        raise click.BadParameter(f"{text!r} is no size: a whole number and k, m, g or t, such as 2g.")
    return text


@click.group(invoke_without_command=True, help=_HELP)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="0 takes the last one of this home if it is free, else any free one.",
)
@click.option(
    "--max-runs",
    type=click.IntRange(1),
    help="Runs at a time; others wait. Default: 2, or the number of cores.",
)
@click.option(
    "--spark-memory",
    default="2g",
    show_default=True,
    callback=_memory,
    help="Heap of a Spark server of its own.",
)
@click.option(
    "--spark-limit",
    type=click.IntRange(512),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Memory beyond which an idle Spark server is replaced.",
)
@click.option("--faults", is_flag=True, help="Allow faults to be ordered by POST /faults, for tests.")
@click.pass_context
def workspace(
    context: click.Context,
    *,
    port: int,
    max_runs: int | None,
    spark_memory: str,
    spark_limit: int,
    faults: bool,
) -> int | None:
    """Serve until a signal comes."""
    if context.invoked_subcommand is not None:
        return None
    settings = settings_or_raise()
    # Its runs look for the database by themselves, and might find another one than Airflow's connection's.
    raise_control_error()
    check_engine(settings)
    serve = _serving()
    # What runs here asks this machine, and its runs inherit that.
    os.environ.update(bypass_proxies(os.environ))
    chosen = serve.WorkspaceSettings(
        home=settings.home,
        port=port,
        max_concurrent_runs=max_runs or serve.DEFAULT_RUNS,
        faults=faults,
        hidden=frozenset(all_secrets(os.environ)),
    )
    open_spark = partial(_open_spark, memory=spark_memory, most_bytes=spark_limit * _MIB)
    logging.getLogger("airflow_dataloader.workspace").setLevel(logging.INFO)
    try:
        with serve.running(chosen, open_spark) as state:
            click.echo(state.context.url)
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        # This is how it is meant to end.
        pass
    return ExitCode.DONE


@workspace.group()
def secret() -> None:
    """Secret scopes of the local workspace."""


@secret.command()
@click.argument("scope")
@click.argument("name")
def put(*, scope: str, name: str) -> int:
    """Store a secret; its value is read from standard input, one line end at its end is left out.

    At a terminal it is asked for, and not shown. A workspace that runs knows it at once.
    """
    home = WorkspaceHome.below(settings_or_raise().home)
    SecretFile(home.secrets).put(scope, name, _value(name))
    return ExitCode.DONE


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Value of {name}", hide_input=True))
    # No more than it takes to see that there is too much: what is connected here may never end.
    data = sys.stdin.buffer.read(LONGEST + len(_LINE_END) + 1)
    if len(data) > LONGEST + len(_LINE_END):
        raise wrong_size(name)
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise not_utf8(name) from None


def _serving() -> ModuleType:
    try:
        from airflow_dataloader.workspace import service
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed.", fix="pip install 'airflow-dataloader[local]'"
        ) from error
    return service


def _open_spark(home: WorkspaceHome, *, memory: str, most_bytes: int) -> Spark:
    """Return the Spark of ``SPARK_REMOTE``, else a warm server of our own."""
    from airflow_dataloader.workspace.spark.external import ExternalSpark
    from airflow_dataloader.workspace.spark.warm import WarmSpark, Watch

    if remote := remote_of(os.environ):
        return ExternalSpark(remote)

    def start(log: Path) -> SparkServer:
        # The last server has ended by now, however it did.
        shutil.rmtree(home.scratch, ignore_errors=True)
        return _new_server(home, memory, log)

    watch = Watch(most_bytes=most_bytes)
    return WarmSpark(start, log_file=home.spark_log, note=home.spark_server, watch=watch)


def _new_server(home: WorkspaceHome, memory: str, log: Path) -> SparkServer:
    from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings

    return ConnectServer(server_settings(home.folder.parent, memory=memory), log, scratch=home.scratch)
