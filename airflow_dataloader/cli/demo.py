"""``dataloader demo``: a shop's database into Delta tables through Airflow, twice, and the proof of it."""

from __future__ import annotations

import time
from contextlib import ExitStack

import click

from airflow_dataloader.cli.console import Progress, new_console
from airflow_dataloader.cli.demo_report import page_of, say_where, table_of, verdict
from airflow_dataloader.cli.local_engine import check_engine
from airflow_dataloader.cli.startup_errors import settings_or_raise
from airflow_dataloader.workspace.demo.ports import Ports
from airflow_dataloader.workspace.demo.stack import DemoStack, running

#: Airflow's own.
PAGE_PORT = 8080

_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop everything at the end instead of staying up.")
@click.option(
    "--port",
    type=_PORT,
    default=None,
    help=f"Port of Airflow's page; {PAGE_PORT}, or with --exit, as for the others, any free one: 0.",
)
@click.option("--workspace-port", type=_PORT, default=0, show_default=True, help="Port of its workspace.")
@click.option("--postgres-port", type=_PORT, default=0, show_default=True, help="Port of its PostgreSQL.")
def demo(*, leave: bool, port: int | None, workspace_port: int, postgres_port: int) -> int:
    """Load a shop's database twice through Airflow, and compare every target with its source.

    Needs no Docker, no cloud and no account. Below DATALOADER_HOME/demo it starts a PostgreSQL of its own,
    a local workspace with Spark, and Airflow; it fills a database with a million rows, has Airflow load it
    into Delta tables, changes the shop, and has the changes loaded. Exit code 0 means that every table was
    equal after both loads.
    """
    settings = settings_or_raise()
    begun = time.monotonic()
    if port is None:
        # Nobody looks at a page that goes by itself, so nothing has to make room for it.
        port = 0 if leave else PAGE_PORT
    ports = Ports(page=port, workspace=workspace_port, postgres=postgres_port)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(new_console()))
        progress.step("Looking for Java and jars")
        check_engine(settings)
        stand = stack.enter_context(running(settings.home, ports, progress))
        if not leave:
            progress.line(page_of(stand))
        rounds = stand.show().run()
        for one in rounds:
            progress.console.print(table_of(one, stand.airflow.address))
        code, sentence = verdict(rounds)
        progress.line(f"{sentence}; {time.monotonic() - begun:.0f} s.")
        if not leave:
            _stay(progress, stand)
        progress.step("Stopping everything")
    return code


def _stay(progress: Progress, stand: DemoStack) -> None:
    """Keep everything up until Ctrl-C, which is how this is meant to end."""
    say_where(progress, stand)
    progress.step("Ctrl-C ends it")
    try:
        while True:
            stand.pause()
    except KeyboardInterrupt:
        return
