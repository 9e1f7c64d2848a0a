"""PostgreSQL's errors in our own classes, whether they come with an SQLSTATE or inside another text."""

from __future__ import annotations

import re

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.sources.dialect import ErrorContext
from airflow_dataloader.sources.postgresql.meanings import OWN, RELATION, code_of, meaning_of
from airflow_dataloader.sources.postgresql.refusal import understand

#: Characters of PostgreSQL's own text that a message keeps.
_LONGEST = 500

#: A server's message as pgjdbc prints it, or a message of pgjdbc's own.
_SAID = re.compile(
    r"(?:PSQLException:\s*|\b(?=(?:ERROR|FATAL|PANIC): ))(.*?)(?=\n\s*at |\n\s*Caused by|\Z)", re.DOTALL
)

#: pgjdbc's own words for a value that it cannot give to a JVM. They do not name the column.
_BAD_VALUE = re.compile(r"Bad value for type \S+")


def explain(sqlstate: str | None, message: str, context: ErrorContext) -> DataloaderError:
    """Return our own error for one of PostgreSQL's; its text is free of the login's password."""
    refusal = understand(message)
    if refusal is not None:
        return refusal
    code = code_of(sqlstate, message)
    meaning = meaning_of(code)
    said = scrub(" ".join(message.split()), [context.endpoint.password])[:_LONGEST].rstrip(".")
    field = meaning.field
    if field == RELATION:
        field = "query" if context.from_query else "source_table_name"
    return meaning.kind(
        f"{meaning.what}: {said}.",
        field=field,
        fix=meaning.fix,
        sqlstate=sqlstate or (code if code not in OWN else None),
    )


def recognise(message: str, context: ErrorContext) -> DataloaderError | None:
    """Return our own error if an engine's error text carries one of PostgreSQL's, else None.

    None also for a value that the driver could not pass on: :func:`.planning.diagnose` finds its column.
    """
    refusal = understand(message)
    if refusal is not None:
        return refusal
    found = _SAID.search(message)
    if found is None or _BAD_VALUE.search(found.group(1)):
        return None
    return explain(None, found.group(1), context)
