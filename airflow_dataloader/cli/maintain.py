"""``dataloader maintain``: keep targets tidy, without Airflow."""

from __future__ import annotations

import click

from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.cli.startup_errors import settings_or_raise
from airflow_dataloader.cli.workbench import open_workbench
from airflow_dataloader.control.lookup import no_match, select_rows
from airflow_dataloader.core.selector import parse
from airflow_dataloader.loader.maintenance import maintain_rows

_HELP = """
Remove staging tables that dead loads have left behind; compact and vacuum targets whose rows ask for it.

A stage is removed when its load is over and nothing can still write for it, never sooner. Loads do the same
for the schema that they write to.

An active row's target is compacted (OPTIMIZE) when the last time is optimize_every_hours ago and it has
changed since, and vacuumed when the last time is vacuum_every_hours ago. One that is being loaded is left to
the next run.

SELECTOR is that of `dataloader load`; without it, all targets and every schema that was ever loaded into are
looked at. Exit code 1: a target could not be maintained, or a schema could not be looked into.
"""


@click.command(help=_HELP)
@click.option(
    "-s",
    "--select",
    metavar="SELECTOR",
    help="Rows whose stages to remove and, where active, whose targets to maintain. Default: all.",
)
@click.option("--local", is_flag=True, help="Work in this process, without Airflow.")
def maintain(*, select: str | None, local: bool) -> int:
    """Maintain targets and say what was done."""
    if not local:
        raise click.UsageError(
            "add --local to work in this process; in Airflow, the DAG dataloader_maintain does it, and on a "
            "cluster spark_tasks/maintain_tables.py."
        )
    selector = parse(select) if select is not None else None
    settings = settings_or_raise()
    with open_workbench(settings) as bench:
        rows = None
        if selector is not None:
            found = [
                *select_rows(bench.control, selector),
                *select_rows(bench.control, selector, active=False),
            ]
            if not found:
                raise no_match(selector)
            rows = [row.config_id for row in found]
        done = maintain_rows(bench.control, bench.start_spark(), rows, report=bench.progress.line)
    return ExitCode.DONE if done else ExitCode.FAILED
