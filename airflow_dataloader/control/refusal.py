"""What the control database's errors mean to us."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, DataloaderError, NotMigrated

#: The command that every schema error ends in.
MIGRATE = "dataloader db migrate"

#: Something of the schema is missing: table, column, function, schema.
_SCHEMA = frozenset({"42P01", "42703", "42883", "3F000"})

#: Raised by control.require_version().
_VERSION = "DL001"

#: The server is there, but not for us now: shutting down, starting, full, or holding us up for too long.
_BUSY_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
_BUSY = frozenset({"40001", "40P01", "55P03", "25P03"})

#: A constraint, or one of our triggers, refused an edit.
_INTEGRITY = "23"


def explained(error: Exception, place: str) -> DataloaderError | None:
    """Return what ``error`` means, or None where it is a bug and should be seen as it is.

    ``place`` says which control database, without credentials.
    """
    if isinstance(error, PoolTimeout):
        return ControlUnavailable(
            f"All connections of this process to the control database {place} are in use.",
            fix="let fewer threads work at once.",
        )
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate or ""
    said = " ".join((cause.diag.message_primary or str(cause)).split())
    if not state or state[:2] in _BUSY_CLASSES or state in _BUSY:
        return _unavailable(cause, state, said, place)
    if state == _VERSION:
        return NotMigrated(
            f"The control database {place}: {said}.", fix=cause.diag.message_hint, sqlstate=state
        )
    if state in _SCHEMA:
        return NotMigrated(
            f"The control database {place} is not migrated to what this version needs: {said}.",
            fix=f"{MIGRATE}.",
            sqlstate=state,
        )
    if state[:2] == _INTEGRITY:
        return ConfigurationError(
            f"The control database refused the change: {said}.",
            field=cause.diag.column_name or cause.diag.constraint_name,
            fix=cause.diag.message_hint or cause.diag.message_detail,
            sqlstate=state,
        )
    return None


def _unavailable(cause: psycopg.Error, state: str, said: str, place: str) -> DataloaderError | None:
    if not state and not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    fix = "see that the server runs, that host and port are open, and that user, password and database are right."
    if state in _BUSY or state == "57014":
        fix = "see what holds locks or loads the server; the same call may succeed later."
    elif state[:2] == "53":
        fix = "give the server more connections, memory or disk."
    return ControlUnavailable(
        f"The control database {place} cannot be reached: {said.rstrip('.')}.",
        fix=fix,
        sqlstate=state or None,
    )
