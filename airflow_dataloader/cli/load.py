"""``dataloader load``: load rows now, without Airflow."""

from __future__ import annotations

import os

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_dataloader.cli.control import control_engine
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.core.selector import Selector, parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.local import Loaded, load_locally
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings

_COLOURS = {LoadStatus.SUCCEEDED: "green", LoadStatus.FAILED: "red", LoadStatus.CANCELLED: "yellow"}


@click.command()
@click.option("-s", "--select", metavar="SELECTOR", help="Which rows, e.g. 'source:shop name:orders*'.")
@click.option("--local", is_flag=True, help="Claim, load and settle in this process.")
def load(*, select: str | None, local: bool) -> int:
    """Load rows of the control database and wait for their end.

    With a selector it loads the selected rows now, whatever their slot; without one, what is due.
    """
    if not local:
        raise click.UsageError("loads through Airflow are started by its DAG; add --local to load here.")
    selector = parse(select) if select else None
    return ExitCode.DONE if _load(selector) else ExitCode.FAILED


def _load(selector: Selector | None) -> bool:
    control = control_engine()
    engine = open_engine(Settings.from_environment(os.environ))
    try:
        loaded = load_locally(Worker(control=control, engine=engine), selector=selector)
    finally:
        engine.close()
        control.dispose()
    Console().print(report(loaded))
    return all(load.status is LoadStatus.SUCCEEDED for load in loaded)


def report(loaded: list[Loaded]) -> Table:
    """Return the loads as a table, one line each, the failed ones with their reason."""
    table = Table("table", "status", "rows", "version", "message", title=f"{len(loaded)} loads")
    for load in loaded:
        receipt = load.receipt
        colour = _COLOURS.get(load.status, "yellow") if load.status else "yellow"
        table.add_row(
            Text(load.label),
            Text(load.status or "not settled here", style=colour),
            str(receipt.rows_published),
            str(receipt.target_version if receipt.target_version is not None else ""),
            Text(load.message),
        )
    return table
