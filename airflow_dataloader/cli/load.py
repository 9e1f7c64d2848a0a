"""``dataloader load``: load rows now, without Airflow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

import click
from rich.console import Console
from rich.text import Text

from airflow_dataloader.cli.console import Progress, new_table, plain
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.local_secrets import local_secrets
from airflow_dataloader.cli.startup_errors import settings_or_raise
from airflow_dataloader.cli.workbench import open_workbench
from airflow_dataloader.control.waiting import Waiting, WaitReason, waiting
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.selector import Selector, parse
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.wording import counted, listed
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.spark.remote import check_remote
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.local import Loaded, load_locally

#: Sources that a line names.
_NAMED = 3

_WAITS = {
    WaitReason.FULL: ", for the end of one of the {most} loads that may live at the same time",
    WaitReason.PAUSED: " whose source is paused",
    WaitReason.AT_LIMIT: " whose source has as many loads as its max_concurrent_loads",
    WaitReason.HELD: " that another session holds just now, or whose target another load holds",
}

_COLOURS = {LoadStatus.SUCCEEDED: "green", LoadStatus.FAILED: "red"}

_HELP = """
Load rows of the control database, and wait for their end.

A SELECTOR is one or more field:value terms. A space between terms means and, a comma within a term or;
* stands for any characters. Only active rows are loaded, and each once, also where it is due again meanwhile.

\b
  name:     table, or schema.table or catalog.schema.table, at the source or the target
  source:   db_config_key
  status:   last_status: succeeded, failed, queued, in_progress, none
  strategy: load_strategy
  tag:      any of the row's tags
  owner:    the row's owner

\b
Examples:
  dataloader load --local                                  what is due
  dataloader load --local -s 'source:shop name:orders*'    these, now
  dataloader load --local -s status:failed                 what failed last time

Exit code 0: all that could be loaded succeeded; where nothing could, rows that are due and wait are counted.
1: a load failed, or the control database refuses to queue a row. 4: a selected row could not be claimed.

Spark is that of SPARK_REMOTE, else one of its own. The logins of sources are read from
DATALOADER_SECRET_<SCOPE>_<NAME> in the environment, then from what `dataloader workspace secret put` stored.
"""


@click.command(help=_HELP)
@click.option(
    "-s",
    "--select",
    metavar="SELECTOR",
    help="Rows to load now, whatever their slot. Default: those that are due.",
)
@click.option("--local", is_flag=True, help="Work in this process, without Airflow.")
def load(*, select: str | None, local: bool) -> int:
    """Load rows, show how each ended, and say so by the exit code."""
    if not local:
        raise click.UsageError(
            "add --local to load in this process; through Airflow, loads are started by the DAG "
            "dataloader_load."
        )
    loaded = _load(parse(select) if select is not None else None)
    return code_of(loaded)


def _load(selector: Selector | None) -> list[Loaded]:
    settings = settings_or_raise()
    # Before a row is claimed that nobody here could load.
    check_remote(os.environ)
    with open_workbench(settings) as bench:

        def open_context() -> LoaderContext:
            return LoaderContext(
                control=bench.control,
                engine=bench.start_spark(),
                secrets=local_secrets(settings),
                observer=bench.progress,
                times=LeaseTimes.of(settings),
            )

        loaded = load_locally(
            bench.control,
            open_context,
            selector=selector,
            report=partial(_report, bench.progress),
            max_concurrent=settings.max_concurrent_loads,
            limits=ReapLimits.of_minutes(queued=settings.queued_minutes, progress=settings.progress_minutes),
        )
        if loaded:
            show(bench.progress.console, loaded)
        else:
            limit = settings.max_concurrent_loads
            for line in idle(waiting(bench.control, max_concurrent=limit), limit):
                bench.progress.console.print(plain(line), soft_wrap=True)
    return loaded


def _report(progress: Progress, ended: Loaded) -> None:
    progress.line(f"{ended.label}: {outcome(ended)}")
    interrupt.check()


def idle(waits: Sequence[Waiting], max_concurrent: int) -> list[str]:
    """Return what to say where nothing was loaded: that nothing is due, or what the due rows wait for."""
    if not waits:
        return ["Nothing is due."]
    lines = ["Nothing can be loaded now."]
    for one in waits:
        rows = counted(one.rows, "row")
        lines.append(f"Due and waiting: {rows}{_WAITS[one.reason].format(most=max_concurrent)}{_of(one)}.")
    return lines


def _of(waits: Waiting) -> str:
    """Name some of the sources, where it is theirs to end the waiting."""
    if waits.reason is WaitReason.FULL or not waits.sources:
        return ""
    return f" ({listed(waits.sources, _NAMED)})"


def code_of(loaded: Sequence[Loaded]) -> ExitCode:
    """Return 0 if all succeeded, 4 if nothing is wrong but that others hold a row, else 1."""
    if all(load.status is LoadStatus.SUCCEEDED for load in loaded):
        return ExitCode.DONE
    held = all(load.status is LoadStatus.SUCCEEDED or not (load.claimed or load.refused) for load in loaded)
    return ExitCode.CONFLICT if held else ExitCode.FAILED


def outcome(load: Loaded) -> str:
    """Return in a word how a load ended."""
    if load.status is not None:
        return load.status
    if load.refused:
        return "refused"
    return "not settled here" if load.claimed else "not claimed"


def show(console: Console, loaded: Sequence[Loaded]) -> None:
    """Print the loads as a table, and below it what there is to say about some of them."""
    table = new_table(counted(len(loaded), "load"), ("row", "status"), ("rows", "version"))
    for load in loaded:
        receipt = load.receipt
        version = "" if receipt.target_version is None else str(receipt.target_version)
        status = Text(outcome(load), style=_COLOURS.get(load.status, "yellow") if load.status else "yellow")
        table.add_row(plain(load.label), status, f"{receipt.rows_published:,}", version)
    console.print(table)
    for load in loaded:
        if load.message:
            text = load.message if load.label in load.message else f"{load.label}: {load.message}"
            console.print(plain(text), soft_wrap=True)
