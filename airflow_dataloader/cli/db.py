"""``dataloader db``: the control database's schema, and what only a person may repair in it."""

from __future__ import annotations

import click

from airflow_dataloader.cli.control import control_engine, control_url
from airflow_dataloader.cli.exit_codes import ExitCode
from airflow_dataloader.control import migrate as schema
from airflow_dataloader.control.rows import advance_epoch


@click.group()
def db() -> None:
    """Create, inspect and repair the control database."""


@db.command()
@click.option("--timestamps-zone", metavar="ZONE", help="Zone of an adopted database's timestamps.")
def migrate(*, timestamps_zone: str | None) -> None:
    """Bring the schema up to date; adopts a database in the original documents' shape, keeping its data."""
    schema.upgrade(control_url(), timestamps_zone=timestamps_zone, report=click.echo)


@db.command()
def status() -> int:
    """Say which revision the database has and which this package needs; exit 5 if they differ."""
    found = schema.status(control_url())
    click.echo(f"current {found.current or 'none'}, needed {found.head}")
    for revision in found.pending:
        click.echo(f"pending {revision}")
    return ExitCode.CONTROL if found.pending else ExitCode.DONE


@db.command()
@click.argument("revision")
def downgrade(*, revision: str) -> None:
    """Go back to REVISION (``base``: the shape before the first migration)."""
    schema.downgrade(control_url(), revision)


@db.command("advance-epoch")
@click.argument("config_id", type=int)
@click.argument("epoch", type=int)
def advance(*, config_id: int, epoch: int) -> None:
    """Lift CONFIG_ID's epoch to EPOCH after the control database was restored from a backup.

    Only for the case that a load refused its target because the target holds later epochs, and only when
    no other control database loads that target any more.
    """
    advance_epoch(control_engine(), config_id, epoch)
    click.echo(f"config_id {config_id} continues after epoch {epoch}.")
