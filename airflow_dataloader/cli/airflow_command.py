"""``airflow dataloader …``: the same commands, on the control database of Airflow's connection."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping
from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, lazy_load_command

from airflow_dataloader.cli.startup_errors import StartupErrors
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, DataloaderError

#: What the control database's errors are told by: exit codes go by it.
_CONTROL_URL = "DATALOADER_CONTROL_URL"
#: Begin of the variables that hold Airflow's connections.
_CONNECTION = "AIRFLOW_CONN_"
#: Begin of the names that stand in for it.
_CONTROL_PARTS = "LAKEBASE_"


class _Everything(Arg):
    """All that follows, options too: they are for our own command line to read."""

    def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
        # No argument begins with this character, so none is an option of Airflow's parser.
        parser.prefix_chars = "\0"
        super().add_to_parser(parser)


def commands() -> list[CLICommand]:
    """Return what Airflow's command line gains. Called at each of its starts: nothing heavy is imported."""
    return [
        ActionCommand(
            name="dataloader",
            help="Load tables, look after the control database (the dataloader command)",
            func=lazy_load_command("airflow_dataloader.cli.airflow_command.run"),
            args=(_Everything(("arguments",), nargs=argparse.REMAINDER, help="see --help"),),
        )
    ]


def run(namespace: argparse.Namespace) -> None:
    """Run one command with Airflow's connection and configuration, and exit with its code."""
    from airflow_dataloader.cli import main
    from airflow_dataloader.loader import interrupt

    interrupt.listen()
    sys.exit(main.run(namespace.arguments, prepare=lambda: use_airflow(os.environ)))


def use_airflow(environ: MutableMapping[str, str]) -> StartupErrors:
    """Put Airflow's settings and connection into the environment; return the errors met while reading them.

    Without a connection, what the environment names stays.
    """
    from airflow_dataloader.hooks.settings import configured

    try:
        environ.update(configured(environ))
    except DataloaderError as error:
        _forget_control(environ)
        return StartupErrors(settings=error, control=error)
    try:
        _use_connection(environ)
    except DataloaderError as error:
        _forget_control(environ)
        return StartupErrors(control=error)
    return StartupErrors()


def _forget_control(environ: MutableMapping[str, str]) -> None:
    """Never another database than the connection's, for what is started from here either."""
    for name in [name for name in environ if name == _CONTROL_URL or name.startswith(_CONTROL_PARTS)]:
        del environ[name]


def _use_connection(environ: MutableMapping[str, str]) -> None:
    from airflow_dataloader.hooks.control import ControlHook
    from airflow_dataloader.hooks.settings import airflow_settings

    name = airflow_settings(environ).control_conn_id
    try:
        found = _connection(name)
        if found is not None:
            environ[_CONTROL_URL] = ControlHook(name).url_of(found)
    except ConfigurationError as error:
        raise ConfigurationError(error.message, field=_CONTROL_URL, fix=error.fix) from None
    except Exception as error:
        raise ControlUnavailable(
            f"Airflow connection {name} cannot be looked up: {type(error).__name__}.",
            fix=f"see what `airflow connections get {name}` says of it",
        ) from error


def _connection(name: str) -> Any:
    """Return Airflow's connection, wherever Airflow has it; None: there is none of that name."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from airflow_dataloader.hooks.control import ControlHook

    try:
        return ControlHook.get_connection(name)
    except AirflowNotFoundException:
        variable = _CONNECTION + name.upper()
        if os.environ.get(variable):
            # Airflow passes one over that it cannot read, and so would we, to another database.
            raise ConfigurationError(
                f"Airflow cannot read connection {name} from {variable}.",
                fix="write it as a URI, with %XX for special characters in a part, or as a JSON object",
            ) from None
    return _stored(name)


def _stored(name: str) -> Any:
    """Return the connection from Airflow's own database, where its page puts them.

    Whoever asks as a task does is told of those only within one.
    """
    from airflow.models import Connection
    from airflow.secrets.metastore import MetastoreBackend
    from airflow.utils.session import create_session
    from sqlalchemy import inspect

    with create_session() as session:
        table = Connection.__table__
        if not inspect(session.connection()).has_table(table.name, schema=table.schema):
            # Nobody has set this Airflow up.
            return None
        return MetastoreBackend().get_connection(name, session=session)
