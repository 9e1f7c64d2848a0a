"""PostgreSQL's errors in our own classes, whether they come with an SQLSTATE or inside another text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    SourceRefused,
    SourceUnavailable,
    ValueRefused,
)
from airflow_dataloader.sources.dialect import ErrorContext
from airflow_dataloader.sources.postgresql.refusal import understand

#: Characters of PostgreSQL's own text that a message keeps.
_LONGEST = 500

#: Placeholder for the field that holds the relation: the table's name, or the query.
_RELATION = "relation"


@dataclass(frozen=True, kw_only=True)
class _Meaning:
    """What one SQLSTATE means to a load."""

    kind: type[DataloaderError]
    what: str
    fix: str
    field: str | None = None


_LOGIN = _Meaning(
    kind=SourceRefused,
    what="The source refused the login",
    field="db_config_value.password",
    fix="put a login that works into the secrets named by user and password, "
    "and see that pg_hba.conf lets this machine in",
)
_UNREACHABLE = _Meaning(
    kind=SourceUnavailable,
    what="The source cannot be reached",
    field="db_config_value.host",
    fix="see that host and port are right, that the server runs, and that a firewall lets this machine in",
)
_BROKEN_OFF = _Meaning(
    kind=SourceUnavailable,
    what="The source broke off",
    fix="nothing, if the source is back: the row is loaded again",
)
_TLS = _Meaning(
    kind=ConfigurationError,
    what="The source and this machine do not agree on TLS",
    field="connection_options.sslmode",
    fix="set connection_options.sslmode, and sslrootcert for a private authority, to what the server offers",
)
_NO_RELATION = _Meaning(
    kind=SourceRefused,
    what="The source does not have what the row reads",
    field=_RELATION,
    fix="spell schema and table as the source does, or deactivate the row if the table is gone for good",
)
_NO_RIGHT = _Meaning(
    kind=SourceRefused,
    what="The login may not read what the row reads",
    field=_RELATION,
    fix="grant it USAGE on the schema and SELECT on the table",
)
_CANCELLED = _Meaning(
    kind=SourceUnavailable,
    what="The source ended the query",
    fix="see who cancelled it, or which timeout of the role or the server is too short",
)

_MEANINGS: dict[str, _Meaning] = {
    "28P01": _LOGIN,
    "28000": _LOGIN,
    "3D000": _Meaning(
        kind=SourceRefused,
        what="The source's server does not have the database",
        field="db_config_value.database",
        fix="put the name of a database that exists into the secret",
    ),
    "42P01": _NO_RELATION,
    "3F000": _NO_RELATION,
    "42501": _NO_RIGHT,
    "42703": _Meaning(
        kind=SourceRefused,
        what="The source does not have a column",
        field=_RELATION,
        fix="mend the query, or load again if a column was dropped during the load",
    ),
    "42601": _Meaning(
        kind=SourceRefused,
        what="The source cannot read the SQL",
        field=_RELATION,
        fix="run the query at the source and mend it",
    ),
    "0A000": _Meaning(
        kind=ConfigurationError,
        what="The source cannot do this",
        field="source_table_catalog",
        fix="leave source_table_catalog empty, or name the database that the source connects to",
    ),
    "53300": _Meaning(
        kind=SourceUnavailable,
        what="The source has no connection left",
        fix="lower max_concurrent_loads or num_partitions, or raise max_connections at the source",
    ),
    "55P03": _Meaning(
        kind=SourceUnavailable,
        what="The table is locked at the source",
        fix="see who rebuilds it; the row is loaded again",
    ),
    "57014": _CANCELLED,
    "25P03": _CANCELLED,
    "25P04": _CANCELLED,
    "08001": _UNREACHABLE,
    "57P03": _UNREACHABLE,
}

#: First two characters of an SQLSTATE to its meaning, where the whole one is not listed.
_CLASSES: dict[str, _Meaning] = {
    **dict.fromkeys(("08", "25", "40", "53", "55", "57", "58", "XX"), _BROKEN_OFF),
    "42": _MEANINGS["42601"],
}

_OTHER = _Meaning(
    kind=SourceRefused,
    what="The source refused",
    field=_RELATION,
    fix="read the source's own words, and run the same SELECT there",
)

#: Words of PostgreSQL, libpq and pgjdbc where no SQLSTATE comes with them, in the order they are tried.
_WORDS: tuple[tuple[str, str], ...] = (
    (r"password authentication failed|no password supplied|no password was provided", "28P01"),
    (
        r"no pg_hba\.conf entry|authentication failed|role \".*\" does not exist|not permitted to log in",
        "28000",
    ),
    (r"database \".*\" does not exist", "3D000"),
    (r"does not support SSL|certificate verify failed|root certificate|SSL error|SSLHandshake|PKIX", "TLS"),
    (r"too many clients|too many connections|connection slots are reserved", "53300"),
    (r"the database system is (?:starting up|shutting down|in recovery)|not yet accepting", "57P03"),
    (r"terminating connection due to (?:administrator|unexpected)", "57P01"),
    (r"terminating connection due to (?:idle-in-transaction|transaction) timeout", "25P03"),
    (r"canceling statement due to conflict with recovery", "40001"),
    (r"canceling statement due to lock timeout", "55P03"),
    (r"canceling statement due to", "57014"),
    (
        r"could not import the requested snapshot|invalid snapshot identifier|snapshot .* does not exist",
        "55000",
    ),
    (r"relation \".*\" does not exist|invalid reference to FROM-clause", "42P01"),
    (r"schema \".*\" does not exist", "3F000"),
    (r"column .* does not exist", "42703"),
    (r"permission denied for", "42501"),
    (r"cross-database references", "0A000"),
    (r"syntax error at", "42601"),
    (r"[Cc]onnection refused|connection attempt failed|timeout expired|connect timed out", "08001"),
    (r"could not translate host name|failed to resolve host|UnknownHostException", "08001"),
    (r"No route to host|Network is unreachable", "08001"),
    (r"server closed the connection|connection has been closed|connection is closed|EOFException", "08006"),
    (r"Connection reset|Broken pipe|I/O error occurred|Read timed out|consuming input failed", "08006"),
)

_PGJDBC = re.compile(r"PSQLException:\s*(.*?)(?=\n\s*at |\n\s*Caused by|\Z)", re.DOTALL)

#: pgjdbc's own words for a value that it cannot give to a JVM.
_BAD_VALUE = re.compile(r"Bad value for type \S+\s*:\s*(\S+)")


def explain(sqlstate: str | None, message: str, context: ErrorContext) -> DataloaderError:
    """Return our own error for one of PostgreSQL's; its text is free of the login's password."""
    refusal = understand(message)
    if refusal is not None:
        return refusal
    code = sqlstate or _code_of(message)
    meaning = _meaning_of(code)
    said = scrub(" ".join(message.split()), [context.endpoint.password])[:_LONGEST]
    field = meaning.field
    if field == _RELATION:
        field = "query" if context.from_query else "source_table_name"
    return meaning.kind(
        f"{meaning.what}: {said}",
        field=field,
        fix=meaning.fix,
        sqlstate=code if code != "TLS" else None,
    )


def recognise(message: str, context: ErrorContext) -> DataloaderError | None:
    """Return our own error if an engine's error text carries one of PostgreSQL's, else None."""
    refusal = understand(message)
    if refusal is not None:
        return refusal
    found = _PGJDBC.search(message)
    if found is None:
        return None
    said = found.group(1)
    bad = _BAD_VALUE.search(said)
    if bad is not None:
        return ValueRefused(
            f"The source holds {bad.group(1)}, which the target cannot keep exactly.",
            field="value_policy",
            fix="mend the value at the source, or set value_policy to string or null",
        )
    return explain(None, said, context)


def _code_of(message: str) -> str | None:
    for words, code in _WORDS:
        if re.search(words, message):
            return code
    return None


def _meaning_of(code: str | None) -> _Meaning:
    if code is None:
        return _OTHER
    if code == "TLS":
        return _TLS
    return _MEANINGS.get(code) or _CLASSES.get(code[:2]) or _OTHER
