"""``dataloader verify``: compare targets with their sources, without Airflow."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import click
from rich.console import Console
from rich.text import Text

from airflow_dataloader.cli.console import Progress, new_console, new_table
from airflow_dataloader.cli.control import control_engine
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.local_engine import local_engine
from airflow_dataloader.cli.local_secrets import local_secrets
from airflow_dataloader.cli.trouble import own_settings
from airflow_dataloader.control.rows import select_rows
from airflow_dataloader.core.selector import Selector, parse
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.local import no_match
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines
from airflow_dataloader.loader.worker import Worker

_COLOURS = {"equal": "green", "different": "red"}

_HELP = """
Compare targets with their sources, and name the keys that differ.

The source computes a digest of its rows for each range of keys, and so does Spark for the target; rows travel
from ranges that differ alone. What the next load brings is counted and not compared. Nothing is claimed, and
nothing is written but what is shown: no value of a row but its key.

A SELECTOR is that of `dataloader load`. Exit code 1: a row differs, or cannot be compared.

\b
Example:
  dataloader verify --local -s 'source:shop name:orders*'
"""


@click.command(help=_HELP)
@click.option("-s", "--select", required=True, metavar="SELECTOR", help="Which rows.")
@click.option("--local", is_flag=True, help="Compare in this process.")
def verify(*, select: str, local: bool) -> int:
    """Compare rows, show what was found, and say so by the exit code."""
    if not local:
        raise click.UsageError("a cluster compares by the task verify_table.py; add --local to compare here.")
    verified = _verify(parse(select))
    return ExitCode.DONE if all(one.equal for one in verified) else ExitCode.FAILED


def _verify(selector: Selector) -> list[Verified]:
    settings = own_settings()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(new_console()))
        control = control_engine()
        stack.callback(control.dispose)
        rows = select_rows(control, selector)
        if not rows:
            raise no_match(control, selector)
        progress.step("Starting Spark")
        engine = stack.enter_context(local_engine(settings))
        worker = Worker(control=control, engine=engine, secrets=local_secrets(settings))

        def report(ended: Verified) -> None:
            progress.line(f"{ended.label}: {ended.outcome}")
            interrupt.check()

        verified = verify_rows(
            worker,
            [row.config_id for row in rows],
            begin=lambda label: progress.step(f"Comparing {label}"),
            report=report,
        )
        show(progress.console, verified)
    return verified


def show(console: Console, verified: Sequence[Verified]) -> None:
    """Print what was found as a table, and below it where rows differ and what else there is to say."""
    title = f"{len(verified)} row{'' if len(verified) == 1 else 's'} compared"
    table = new_table(title, ("row", "result"), ("source", "target", "later", "version"))
    for one in verified:
        counts = (one.source_rows, one.target_rows, one.later_rows)
        numbers = ["" if count is None else f"{count:,}" for count in counts]
        version = "" if one.target_version is None else str(one.target_version)
        result = Text(one.outcome, style=_COLOURS.get(one.outcome, "yellow"))
        table.add_row(Text(one.label), result, *numbers, version)
    console.print(table)
    for one in verified:
        said = list(lines(one))
        if said and not any(one.label in line for line in said):
            console.print(Text(f"{one.label}:"), soft_wrap=True)
        for line in said:
            console.print(Text(line), soft_wrap=True)
