"""PostgreSQL's errors in our own classes, whether they come with an SQLSTATE or inside another text."""

from __future__ import annotations

import re

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.exceptions import DataloaderError, ValueRefused
from airflow_dataloader.sources.dialect import READ_TIMED_OUT
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.postgresql.error_codes import (
    LOCKED,
    NOT_IN_UTF_8,
    NOT_UTF_8,
    OWN,
    RELATION,
    code_of,
    meaning_of,
)
from airflow_dataloader.sources.postgresql.value_guard import parse_refusal

#: Characters of PostgreSQL's own text that a message keeps.
_MOST_CHARACTERS = 500

#: A server's message as pgjdbc prints it, or a message of pgjdbc's own.
_SAID = re.compile(
    r"(?:PSQLException:\s*|\b(?=(?:ERROR|FATAL|PANIC): ))(.*?)(?=\n\s*at |\n\s*Caused by|\Z)", re.DOTALL
)

#: pgjdbc's own words for a value that it cannot give to a JVM. They do not name the column.
_BAD_VALUE = re.compile(r"Bad value for type \S+")

#: pgjdbc's words for a connection that gave it no answer.
_NO_BYTES = "I/O error occurred"

#: pgjdbc's words for a text that is not UTF-8.
_UNDECODABLE = "Invalid character data was found"


def explain(
    sqlstate: str | None, message: str, context: ErrorContext, routine: str | None = None
) -> DataloaderError:
    """Return our own error for one of PostgreSQL's; its text is free of the login's password.

    ``routine``: the server's own that gave it, where it is known.
    """
    refusal = parse_refusal(message)
    if refusal is not None:
        return refusal
    code = code_of(sqlstate, message, routine)
    if code == NOT_UTF_8:
        return undecodable(context)
    if code == NOT_IN_UTF_8:
        return _without_equivalent(context, message)
    meaning = meaning_of(code)
    said = scrub(" ".join(message.split()), [context.endpoint.password])[:_MOST_CHARACTERS].rstrip(".")
    field = meaning.field
    if field == RELATION:
        field = "query" if context.from_query else "source_table_name"
    what = meaning.what
    if code == LOCKED:
        what = f"{'What the row reads' if context.from_query else _subject(context)} {what}"
    return meaning.kind(
        f"{what}: {said}.",
        field=field,
        fix=meaning.fix,
        sqlstate=sqlstate or (code if code not in OWN else None),
    )


def recognise(message: str, context: ErrorContext) -> DataloaderError | None:
    """Return our own error if an engine's error text carries one of PostgreSQL's, else None.

    None also for a value that the driver could not pass on: :func:`.planning.diagnose` finds its column.
    """
    refusal = parse_refusal(message)
    if refusal is not None:
        return refusal
    if _UNDECODABLE in message:
        return undecodable(context)
    found = _SAID.search(message)
    if found is None or _BAD_VALUE.search(found.group(1)):
        return None
    said = found.group(1)
    if _NO_BYTES in said and READ_TIMED_OUT in message:
        # The driver's own words are the same whatever broke the connection; the JVM's come as their cause.
        said = f"{said} {READ_TIMED_OUT}"
    return explain(None, said, context)


def undecodable(context: ErrorContext) -> ValueRefused:
    """Return the error for a text or a name that is not UTF-8.

    It has no SQLSTATE: that is of a class that speaks of what a statement says, and this is about the data.
    """
    # convert_from alone converts nothing in such a database.
    decoded = "convert_from(convert(convert_to(name, 'SQL_ASCII'), 'LATIN1', 'UTF8'), 'SQL_ASCII')"
    return ValueRefused(
        f"{_subject(context)} holds a text that is not UTF-8, as a database of encoding SQL_ASCII may.",
        field="query",
        fix=f"say in a query what the text is, such as {decoded} AS name for LATIN1",
    )


def _without_equivalent(context: ErrorContext, message: str) -> ValueRefused:
    """Return the error for bytes that the database's own encoding leaves without a meaning."""
    bytes_said = re.search(r"byte sequence ((?:0x[0-9a-fA-F]{2} ?)+)", message)
    which = f" ({bytes_said[1].strip()})" if bytes_said else ""
    return ValueRefused(
        f"{_subject(context)} holds a text with a byte{which} that means no character in the database's "
        "encoding, so that it cannot be sent as UTF-8.",
        field="query",
        fix="correct the text at the source; convert_to(name, 'SQL_ASCII') in a query shows its bytes",
    )


def _subject(context: ErrorContext) -> str:
    """Return what is read, as the beginning of a sentence."""
    return "The row's query" if context.from_query else context.relation or "The source"
