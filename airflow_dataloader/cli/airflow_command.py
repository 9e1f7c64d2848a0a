"""``airflow dataloader …``: the same commands, on the control database of Airflow's connection."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, lazy_load_command


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

    use_airflow(os.environ)
    interrupt.listen()
    sys.exit(main.run(namespace.arguments))


def use_airflow(environ: MutableMapping[str, str]) -> None:
    """Put into the environment what Airflow knows; without a connection, no control database."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    from airflow_dataloader.hooks.control import ControlHook
    from airflow_dataloader.hooks.settings import airflow_settings, configured

    environ.update(configured(environ))
    hook = ControlHook(airflow_settings(environ).control_conn_id)
    try:
        environ["DATALOADER_CONTROL_URL"] = hook.control_url()
    except AirflowNotFoundException:
        # What the environment names is what there is.
        return
