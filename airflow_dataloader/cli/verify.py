"""``dataloader verify``: compare targets with their sources, without Airflow."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.text import Text
from sqlalchemy import Engine

from airflow_dataloader.cli.console import new_table, plain
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.local_secrets import local_secrets
from airflow_dataloader.cli.startup_errors import settings_or_raise
from airflow_dataloader.cli.workbench import open_workbench
from airflow_dataloader.control.lookup import SelectedRow, no_active_match, select_rows
from airflow_dataloader.core.selector import Selector, named, parse
from airflow_dataloader.core.wording import counted
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines

_COLOURS = {"equal": "green", "different": "red"}

_HELP = """
Compare targets with their sources, and name the keys that differ.

The source computes a digest of its rows for each range of keys, and so does Spark for the target; rows travel
from ranges that differ alone. What the next load brings is counted and not compared. Nothing is claimed, and
nothing is written but what is shown: no value of a row but its key.

A TABLE is a name at the source or the target: table, schema.table or catalog.schema.table. A SELECTOR is that
of `dataloader load`; with both, tables are looked for among what it selects. Exit code 1: a row differs, or
cannot be compared.

\b
Examples:
  dataloader verify --local shop.orders shop.order_lines
  dataloader verify --local -s 'source:shop name:orders*'
"""


@click.command(help=_HELP)
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option("-s", "--select", metavar="SELECTOR", help="Rows to compare.")
@click.option("--local", is_flag=True, help="Work in this process, without Airflow.")
def verify(*, tables: tuple[str, ...], select: str | None, local: bool) -> int:
    """Compare rows, show what was found, and say so by the exit code."""
    if not tables and select is None:
        raise click.UsageError("nothing is selected; name a TABLE, or select rows by -s.")
    if not local:
        raise click.UsageError(
            "add --local to work in this process; on a cluster, run spark_tasks/verify_table.py."
        )
    verified = _verify(_selectors(tables, select))
    return ExitCode.DONE if all(one.equal for one in verified) else ExitCode.FAILED


def _selectors(tables: Sequence[str], select: str | None) -> list[Selector]:
    """Return selectors that must each match a row: a name that was misspelt is no success."""
    if select is None:
        return [named(table) for table in tables]
    selected = parse(select)
    return [named(table) & selected for table in tables] or [selected]


def _rows(control: Engine, selectors: Sequence[Selector]) -> list[SelectedRow]:
    rows: dict[int, SelectedRow] = {}
    for selector in selectors:
        found = select_rows(control, selector)
        if not found:
            raise no_active_match(control, selector)
        rows |= {row.config_id: row for row in found}
    return list(rows.values())


def _verify(selectors: Sequence[Selector]) -> list[Verified]:
    settings = settings_or_raise()
    with open_workbench(settings) as bench:
        rows = _rows(bench.control, selectors)
        progress, engine = bench.progress, bench.start_spark()
        context = LoaderContext(control=bench.control, engine=engine, secrets=local_secrets(settings))

        def report(ended: Verified) -> None:
            progress.line(f"{ended.label}: {ended.outcome}")
            interrupt.check()

        verified = verify_rows(
            context,
            [row.config_id for row in rows],
            begin=lambda label: progress.step(f"Comparing {label}"),
            report=report,
        )
        show(progress.console, verified)
    return verified


def show(console: Console, verified: Sequence[Verified]) -> None:
    """Print what was found as a table, and below it where rows differ and what else there is to say."""
    title = f"{counted(len(verified), 'row')} compared"
    table = new_table(title, ("row", "result"), ("source", "target", "later", "version"))
    for one in verified:
        counts = (one.source_rows, one.target_rows, one.later_rows)
        numbers = ["" if count is None else f"{count:,}" for count in counts]
        version = "" if one.target_version is None else str(one.target_version)
        result = Text(one.outcome, style=_COLOURS.get(one.outcome, "yellow"))
        table.add_row(plain(one.label), result, *numbers, version)
    console.print(table)
    for one in verified:
        said = list(lines(one))
        if said and not any(one.label in line for line in said):
            console.print(plain(f"{one.label}:"), soft_wrap=True)
        for line in said:
            console.print(plain(line), soft_wrap=True)
