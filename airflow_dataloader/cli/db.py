"""``dataloader db``: the control database's schema, and what only a person may repair in it."""

from __future__ import annotations

import click

from airflow_dataloader.cli.control import control_engine, control_url
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.control import migrate as schema
from airflow_dataloader.control.intervene import advance_epoch
from airflow_dataloader.control.prune import MOST_DAYS, MOST_LOADS, Retention, prune
from airflow_dataloader.core.texts import shown_text


@click.group()
def db() -> None:
    """Create, inspect and repair the control database."""


@db.command()
@click.option(
    "--timestamps-zone",
    metavar="ZONE",
    help="Zone that an adopted database's timestamps are in, e.g. Europe/Berlin; they carry none themselves.",
)
def migrate(*, timestamps_zone: str | None) -> None:
    """Create the schema or bring it up to date, in one transaction; nothing to do is fine.

    A database in the shape of the original documents is adopted, and keeps its data.
    """
    schema.upgrade(control_url(), timestamps_zone=timestamps_zone, report=_say)


@db.command()
def status() -> int:
    """Say which version the database has and which this package needs.

    Exit code 5 if they differ, or if the URL's role lacks rights that a load needs.
    """
    found = schema.status(control_url())
    click.echo(f"current {found.current or 'none'}, needed {found.head}")
    for revision in found.pending:
        click.echo(f"pending {revision}")
    if found.current != found.head:
        return ExitCode.CONTROL
    if missing := schema.missing_rights(control_url()):
        click.echo(f"the role of the URL may not load: it lacks {', '.join(missing)}")
        return ExitCode.CONTROL
    return ExitCode.DONE


@db.command()
@click.argument("revision")
def downgrade(*, revision: str) -> None:
    """Go back to version REVISION, e.g. 0001; `base` removes the schema's tables.

    What the older version has no place for is lost. Refused while loads live, and refused to `base` while
    there are rows.
    """
    schema.downgrade(control_url(), revision)
    click.echo(f"Control database: version {revision}.")


@db.command("advance-epoch")
@click.argument("config_id", type=int)
@click.argument("epoch", type=int)
def advance(*, config_id: int, epoch: int) -> None:
    """Lift a row's epoch after the control database was restored from a backup.

    Only for the case that a load refused its target because the target holds later epochs, and only when
    no other control database loads that target any more.
    """
    now = advance_epoch(control_engine(), config_id, epoch)
    click.echo(f"config_id {config_id} continues after epoch {now}.")


@db.command("prune")
@click.option(
    "--loads-days",
    type=click.IntRange(1, MOST_DAYS),
    default=Retention.loads_days,
    show_default=True,
    help="Days that records of loads are kept.",
)
@click.option(
    "--loads-per-row",
    type=click.IntRange(1, MOST_LOADS),
    default=Retention.loads_per_row,
    show_default=True,
    help="Newest records of each row that are kept, however old they are.",
)
@click.option(
    "--edits-days",
    type=click.IntRange(1, MOST_DAYS),
    help="Days that recorded edits of rows are kept. Default: for ever.",
)
def prune_history(*, loads_days: int, loads_per_row: int, edits_days: int | None) -> None:
    """Remove old records of loads, and of edits if asked to.

    Whatever a later load may need stays: loads that live, each row's newest load and newest success, and
    those whose writes nobody knows for certain. May be stopped and repeated at any time.
    """
    kept = Retention(loads_days=loads_days, loads_per_row=loads_per_row, edits_days=edits_days)
    gone = prune(control_engine(), kept)
    click.echo(f"Removed {gone.loads} records of loads and {gone.edits} of edits.")


def _say(text: str) -> None:
    # It may hold names of rows.
    click.echo(shown_text(text))
