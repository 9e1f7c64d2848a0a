"""What migration scripts share: running SQL files, and refusing to destroy what somebody needs."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql
from sqlalchemy import Connection, text

from airflow_dataloader.exceptions import ConfigurationError

#: The tables of the documents' original shape.
DOCUMENTS_TABLES = (
    "table_control_dbconfig",
    "table_control",
    "historical_metadata",
    "table_control_history",
)


def run_sql(bind: Connection, script: str, *names: str) -> None:
    """Run SQL files from the folder beside ``script`` that bears its revision's number."""
    path = Path(script)
    for name in names:
        run_statement(bind, (path.parent / path.name[:4] / name).read_text(encoding="utf-8"))


def run_statement(bind: Connection, statement: str) -> None:
    """Give SQL to the driver as it is: several statements at once, and ``%`` and ``:`` are left alone."""
    driver = bind.connection.driver_connection
    assert driver is not None, "a migration runs on an open connection"
    driver.execute(sql.SQL(statement))


def is_filled(bind: Connection, table: str) -> bool:
    """Return whether one of the documents' tables holds rows."""
    return bool(bind.execute(text(f"SELECT EXISTS (SELECT FROM control.{table})")).scalar())  # noqa: S608


def refuse_data(bind: Connection) -> None:
    """Raise ConfigurationError unless the documents' tables are all empty."""
    for table in DOCUMENTS_TABLES:
        if is_filled(bind, table):
            raise ConfigurationError(
                f"control.{table} holds rows, and the downgrade would drop it.",
                fix="keep a copy, empty the four tables, and try again",
            )


def refuse_live_loads(bind: Connection) -> None:
    """Raise ConfigurationError while a row is Queued or In Progress: its loader relies on what is there.

    Nobody claims from then on until the transaction ends: a claim under way is waited for, and counted.
    """
    bind.execute(
        text("LOCK TABLE control.table_control, control.historical_metadata IN ACCESS EXCLUSIVE MODE")
    )
    query = "SELECT count(*) FROM control.table_control WHERE last_status IN ('Queued', 'In Progress')"
    live = bind.execute(text(query)).scalar_one()
    if live:
        raise ConfigurationError(
            f"{live} loads are Queued or In Progress, and the downgrade would take away what they rely on.",
            field="last_status",
            fix="set is_active = false on all rows, wait until nothing runs, and try again",
        )
