"""What the control database's errors mean to us."""

from __future__ import annotations

import re

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from airflow_dataloader.control.tables import METADATA, SCHEMA
from airflow_dataloader.exceptions import (
    ConfigurationError,
    ControlUnavailable,
    DataloaderError,
    NotMigrated,
    RowRefused,
)

#: The command that every schema error ends in.
MIGRATE = "dataloader db migrate"

#: The schema, one of its tables or columns, or control.require_version() is missing; or something that a
#: trigger of somebody's own uses.
_SCHEMA = frozenset({"42P01", "42703", "42883", "3F000"})
_NO_FUNCTION = "42883"

#: What a message about something missing calls what is ours, functions apart. Functions of ours name tables
#: without the schema.
_OURS = frozenset({SCHEMA, *METADATA.tables, *(table.name for table in METADATA.tables.values())})

#: Our functions in PL/pgSQL: where they search the schema, their errors are said without it.
OWN_FUNCTIONS = frozenset(
    {
        "arm",
        "arm_delete_scan",
        "begin_claim",
        "check_epoch",
        "check_status_move",
        "count_creation",
        "count_edit",
        "count_source_edit",
        "note_given_slot",
        "own_watermark",
        "queue_rows",
        "record_change",
        "record_truncation",
        "refuse_another_id",
        "require_version",
        "resolve_destination",
        "resolve_destinations_of_source",
        "take_rows",
    }
)

#: A function that runs where an error is: its schema, which is said where it is not searched, and its name;
#: in whatever language, and not one that is only quoted. Of other languages than PL/pgSQL, which none of ours
#: is in, the beginning.
_FUNCTION = re.compile(
    r'^(?:[^"«»„“\n]*?PL/pgSQL[^"«»„“\n]*?(?:(?:"[^"\n]*"|([a-z_]\w*))\.)?(?:"[^"\n]*"|([a-z_][\w$]*))\(|PL/(?!pgSQL)\w)',
    re.MULTILINE | re.IGNORECASE | re.ASCII,
)

#: Raised by control.require_version().
_VERSION = "DL001"

#: The server is there, but not for us now: shutting down, starting, full, read-only until somebody else has
#: taken over, or holding us up for too long.
_AWAY_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
#: Those of them that a function may meet which reaches for another server, another database or a file.
_ELSEWHERE = frozenset({"08", "28", "3D", "58"})
_BUSY = frozenset({"25P03", "25P04", "40001", "40P01", "55P03", "57014"})
_READ_ONLY = "25006"
_FORBIDDEN = "42501"
_CHECK = "23514"
_NOT_NULL = "23502"

#: Two rows of one destination that were written at the same moment. The trigger, which names both rows, sees
#: only what is committed; the index sees the rest.
_ONE_DESTINATION = "table_control_one_active_row_per_destination"

#: A value that its column has no room for, and what to do about it.
_NO_ROOM = {"22001": "shorten it", "22003": "use a number that the column can hold"}

#: A constraint, or one of our triggers, refused an edit; or a value cannot be what its place needs; or a
#: trigger of somebody's own raised an exception without saying of which kind.
_INTEGRITY = "23"
_DATA = "22"
_RAISED = "P0"


def translated(error: Exception, place: str) -> DataloaderError | None:
    """Return what ``error`` means, or None where it is a bug and should be seen as it is.

    ``place`` says which control database, without credentials.
    """
    if isinstance(error, PoolTimeout):
        return ControlUnavailable(
            f"All connections of this process to the control database {place} are in use.",
            fix="let fewer threads work at once",
        )
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    state = cause.sqlstate or ""
    if state == _VERSION or (state in _SCHEMA and _is_ours(cause)):
        return _not_migrated(cause, place)
    lost = not state and isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    if lost or _is_away(cause):
        return _unavailable(cause, place)
    unsendable = not state and isinstance(cause, psycopg.DataError)
    if unsendable or state == _FORBIDDEN or _is_about_what_is_written(cause):
        return _configuration_error(cause)
    return None


def is_about_row(error: ConfigurationError | DBAPIError) -> bool:
    """Return whether the database refused what is written, which another row may not meet."""
    raised = error if isinstance(error, DBAPIError) else error.__cause__
    cause = raised.orig if isinstance(raised, DBAPIError) else None
    return isinstance(error, RowRefused) or (
        isinstance(cause, psycopg.Error) and _is_about_what_is_written(cause)
    )


def _is_about_what_is_written(cause: psycopg.Error) -> bool:
    """Return whether the error is about what is written: of a constraint, a value, or a foreign function."""
    state = cause.sqlstate or ""
    if not state or state == _VERSION or _is_away(cause):
        return False
    if state in _SCHEMA:
        return not _is_ours(cause)
    return state[:2] in {_INTEGRITY, _DATA, _RAISED} or _is_foreign(cause)


def _is_away(cause: psycopg.Error) -> bool:
    state = cause.sqlstate or ""
    if state[:2] in _ELSEWHERE and _is_foreign(cause):
        # What that function wanted to reach is away: this server has run it.
        return False
    return state[:2] in _AWAY_CLASSES or state in _BUSY or state == _READ_ONLY


def _is_foreign(cause: psycopg.Error) -> bool:
    """Return whether a function that is not this package's has failed, such as that of somebody's trigger."""
    return not all(map(_is_own, _FUNCTION.finditer(cause.diag.context or "")))


def _is_mistake(cause: psycopg.Error) -> bool:
    """Return whether a foreign function has failed by a mistake in it, not because it refuses something."""
    return _is_foreign(cause) and (cause.sqlstate or "")[:2] not in {_INTEGRITY, _RAISED}


def _is_own(function: re.Match[str]) -> bool:
    return function[1] == SCHEMA or (function[1] is None and function[2] in OWN_FUNCTIONS)


def refusal_of(error: DBAPIError, config_id: int, label: str) -> RowRefused | None:
    """Return why the database refused to write one row, or None where it refused no row."""
    cause = error.orig
    if not isinstance(cause, psycopg.Error) or not is_about_row(error):
        return None
    return RowRefused(
        f"{label} cannot be written; the control database refused: {_said(cause)}.",
        config_id=config_id,
        label=label,
        field=cause.diag.column_name or cause.diag.constraint_name,
        fix="mend what the database names, or set is_active = false on the row",
        sqlstate=cause.sqlstate,
    )


def silent_refusal(config_id: int, label: str) -> RowRefused:
    """Return the refusal of a row that the database skipped without an error of its own."""
    return RowRefused(
        f"{label} cannot be written; the control database left it out and did not say why.",
        config_id=config_id,
        label=label,
        fix="see which trigger, rule or policy on table_control leaves it out (a trigger may return NULL)",
    )


def _is_ours(cause: psycopg.Error) -> bool:
    """Return whether what is missing is this package's: its own statement misses it, or it has such a name.

    Of a missing column the message says no table's name. The functions of the schema are ours; somebody's own
    triggers are elsewhere, as a rule.
    """
    if cause.diag.context is None:
        return True
    innermost = _FUNCTION.search(cause.diag.context)
    if innermost is not None and _is_own(innermost):
        return True
    # The message may be in any language; names are in it as they are.
    named = re.findall(r"[\w.]+", cause.diag.message_primary or "")
    if cause.sqlstate == _NO_FUNCTION:
        return any(name.startswith(f"{SCHEMA}.") for name in named)
    return not _OURS.isdisjoint(named)


def _said(cause: psycopg.Error) -> str:
    """Return the first line of what the database said, without its full stop.

    Where somebody's own function has a mistake, that function is said, too.
    """
    said = " ".join((cause.diag.message_primary or str(cause)).split()).rstrip(".?")
    if _is_mistake(cause):
        # Innermost first; a trigger's function is the one without arguments.
        lines = (cause.diag.context or "").splitlines()
        said += f" ({next((line for line in lines if '()' in line), lines[0])})"
    return said


def _advice(sentence: str | None) -> str | None:
    """Return what the database advises as a fix is written, without its full stop."""
    return sentence.rstrip(".") if sentence else None


def _not_migrated(cause: psycopg.Error, place: str) -> NotMigrated:
    said, fix = _said(cause), MIGRATE
    if cause.sqlstate == _VERSION:
        fix = _advice(cause.diag.message_hint) or fix
    else:
        said = f"its schema is missing or old ({said})"
    return NotMigrated(f"The control database {place}: {said}.", fix=fix, sqlstate=cause.sqlstate)


def _configuration_error(cause: psycopg.Error) -> ConfigurationError:
    of_a_table = cause.diag.table_name and cause.diag.constraint_name
    if cause.sqlstate == _CHECK and of_a_table and not cause.diag.message_hint:
        return _not_allowed(cause)
    if cause.sqlstate == _NOT_NULL:
        return _absent(cause)
    fix = _advice(cause.diag.message_hint or cause.diag.message_detail)
    if cause.diag.constraint_name == _ONE_DESTINATION and not cause.diag.message_hint:
        return _same_destination(cause)
    state = cause.sqlstate or ""
    if state == _FORBIDDEN:
        fix = "grant the role of the URL that right"
    elif state in _NO_ROOM:
        fix = _NO_ROOM[state]
    elif state in _SCHEMA or _is_mistake(cause):
        fix = "mend that function, which is not this package's, or drop the trigger that calls it"
    return ConfigurationError(
        f"The control database refused: {_said(cause)}.",
        field=cause.diag.column_name or cause.diag.constraint_name,
        fix=fix,
        sqlstate=cause.sqlstate,
    )


def _not_allowed(cause: psycopg.Error) -> ConfigurationError:
    """Explain a broken CHECK: PostgreSQL's own detail is the whole row, which helps nobody."""
    table, constraint = cause.diag.table_name or "", cause.diag.constraint_name or ""
    column = constraint.removeprefix(f"{table}_").removesuffix("_check")
    if constraint != f"{table}_{column}_check" or not _has_column(cause, column):
        return ConfigurationError(
            f"The control database refused: constraint {constraint}, which is not this package's, does not "
            f"allow what {table} is to hold.",
            field=constraint,
            fix=f"see what it demands, mend the row of {table}, or drop the constraint",
            sqlstate=cause.sqlstate,
        )
    return ConfigurationError(
        f"The control database refused: {table}.{column} cannot have this value.",
        field=column,
        fix=f"use one that the constraint {constraint} allows; docs/control-database.md lists them",
        sqlstate=cause.sqlstate,
    )


def _has_column(cause: psycopg.Error, column: str) -> bool:
    """Return whether the schema as this package knows it has the table and a column of that name."""
    table = METADATA.tables.get(f"{cause.diag.schema_name}.{cause.diag.table_name}")
    return table is not None and column in table.c


def _absent(cause: psycopg.Error) -> ConfigurationError:
    """Explain a missing value: here, too, PostgreSQL's own detail is the whole row."""
    column = f"{cause.diag.table_name}.{cause.diag.column_name}"
    return ConfigurationError(
        f"The control database refused: {column} has to have a value.",
        field=cause.diag.column_name,
        fix=f"set {cause.diag.column_name}",
        sqlstate=cause.sqlstate,
    )


def _same_destination(cause: psycopg.Error) -> ConfigurationError:
    return ConfigurationError(
        "The control database refused: another active row got the same destination at the same moment.",
        field="destination_table_name",
        fix="write the row again, and the refusal names the other one; give one of the two another "
        "destination_table_name, or set is_active = false on it",
        sqlstate=cause.sqlstate,
    )


def _unavailable(cause: psycopg.Error, place: str) -> ControlUnavailable:
    state = cause.sqlstate or ""
    fix = "see that the server runs, host and port are open, and user, password and database are right"
    what = "cannot be reached"
    if state in _BUSY:
        what = "is busy"
        fix = "see what holds locks or loads the server; the same call may succeed later"
    elif state == _READ_ONLY:
        what = "is read-only"
        fix = "see that the URL leads to the primary server, and default_transaction_read_only is off there"
    elif state[:2] == "53":
        fix = "give the server more connections, memory or disk"
    return ControlUnavailable(
        f"The control database {place} {what}: {_said(cause)}.", fix=fix, sqlstate=cause.sqlstate
    )
