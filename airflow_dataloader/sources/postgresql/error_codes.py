"""What PostgreSQL's error codes, and its words where no code comes with them, mean to a load."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    SourceRefused,
    SourceUnavailable,
)
from airflow_dataloader.sources.dialect import READ_TIMED_OUT

#: Placeholder for the field that holds the relation: the table's name, or the query.
RELATION = "relation"

#: SQLSTATE of a text that is not of the encoding that it has to be sent in, which is UTF-8.
NOT_UTF_8 = "22021"
#: And of a character of its encoding that UTF-8 has none for.
NOT_IN_UTF_8 = "22P05"

#: SQLSTATE of a server that has no connection left, for the login or at all.
NO_CONNECTION_LEFT = "53300"

#: SQLSTATE of a lock that was waited for in vain.
LOCKED = "55P03"


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What one SQLSTATE means to a load."""

    kind: type[DataloaderError]
    what: str
    fix: str
    field: str | None = None


_LOGIN = Meaning(
    kind=SourceRefused,
    what="The source refused the login",
    field="db_config_value.password",
    fix="put a login that works into the secrets named by user and password, "
    "and see that pg_hba.conf lets this machine in",
)
_UNREACHABLE = Meaning(
    kind=SourceUnavailable,
    what="The source cannot be reached",
    field="db_config_value.host",
    fix="see that host and port are right, that the server runs, and that a firewall lets this machine in",
)
_BROKEN_OFF = Meaning(
    kind=SourceUnavailable,
    what="The source broke off",
    fix="nothing, if the source is back: the row is loaded again",
)
_SILENT = Meaning(
    kind=SourceUnavailable,
    what="The source sent nothing for longer than a read waits",
    field="connection_options.socket_timeout",
    fix="raise connection_options.socket_timeout, or remove it for the row's max_runtime_minutes, if the "
    "source computes for so long before it sends a row; nothing, if the network was lost: the row is loaded "
    "again",
)
_TLS = Meaning(
    kind=ConfigurationError,
    what="The source and this machine do not agree on TLS",
    field="connection_options.sslmode",
    fix="set connection_options.sslmode, and sslrootcert for a private authority, to what the server offers",
)
_NO_RELATION = Meaning(
    kind=SourceRefused,
    what="The source does not have what the row reads",
    field=RELATION,
    fix="spell schema and table as the source does, or deactivate the row if the table is gone for good",
)
_NO_RIGHT = Meaning(
    kind=SourceRefused,
    what="The login may not read what the row reads",
    field=RELATION,
    fix="grant it USAGE on the schema and SELECT on the table, or list the columns it may read in query",
)
_ROW_SECURITY = Meaning(
    kind=SourceRefused,
    what="Policies of the source hide rows from the login",
    field=RELATION,
    fix="let the login see all rows (ALTER ROLE … BYPASSRLS, or a view whose owner does), or set "
    "connection_options.row_security to on on the source, if those that it may see are what shall be loaded",
)
_UNPOPULATED = Meaning(
    kind=SourceRefused,
    what="The source has never filled what the row reads",
    field=RELATION,
    fix="run REFRESH MATERIALIZED VIEW at the source, then load the row again",
)
_CANCELLED = Meaning(
    kind=SourceUnavailable,
    what="The source ended the query",
    fix="see who cancelled it, or which timeout of the role or the server is too short; or, of a foreign "
    "table, whether a change of it waits at its own server for those who read it",
)

_MEANINGS: dict[str, Meaning] = {
    "TLS": _TLS,
    "SILENT": _SILENT,
    "RLS": _ROW_SECURITY,
    "UNPOPULATED": _UNPOPULATED,
    "28P01": _LOGIN,
    "28000": _LOGIN,
    "3D000": Meaning(
        kind=SourceRefused,
        what="The source's server does not have the database",
        field="db_config_value.database",
        fix="put the name of a database that exists into the secret",
    ),
    "42P01": _NO_RELATION,
    "3F000": _NO_RELATION,
    "42501": _NO_RIGHT,
    "42703": Meaning(
        kind=SourceRefused,
        what="The source does not have a column",
        field=RELATION,
        fix="mend the query, or load again if a column was dropped during the load",
    ),
    "42601": Meaning(
        kind=SourceRefused,
        what="The source cannot read the SQL",
        field=RELATION,
        fix="run the query at the source and mend it",
    ),
    "25006": Meaning(
        kind=SourceRefused,
        what="What the row reads would change the source",
        field=RELATION,
        fix="read from a query or view that changes nothing; loads read in read-only transactions",
    ),
    "CATALOG": Meaning(
        kind=ConfigurationError,
        what="The row names another database than the source connects to",
        field="source_table_catalog",
        fix="leave source_table_catalog empty, or name the database that the source connects to",
    ),
    NO_CONNECTION_LEFT: Meaning(
        kind=SourceUnavailable,
        what="The source has no connection left",
        fix="lower max_concurrent_loads or num_partitions, or raise max_connections at the source",
    ),
    LOCKED: Meaning(
        kind=SourceUnavailable,
        what="is locked at the source",
        fix="nothing, if a change of the table was waiting for its readers: the load has let it pass, and "
        "the row is loaded again; else end the transaction at the source that holds the table",
    ),
    "57014": _CANCELLED,
    "25P02": _BROKEN_OFF,
    "25P03": _CANCELLED,
    "25P04": _CANCELLED,
    "08001": _UNREACHABLE,
    "57P03": _UNREACHABLE,
}

#: First two characters of an SQLSTATE to its meaning, where the whole one is not listed.
_CLASSES: dict[str, Meaning] = {
    **dict.fromkeys(("08", "40", "53", "55", "57", "58", "XX"), _BROKEN_OFF),
    "42": _MEANINGS["42601"],
}

_OTHER = Meaning(
    kind=SourceRefused,
    what="The source refused",
    field=RELATION,
    fix="read the source's own words, and run the same SELECT there",
)

#: A wrong password in the other languages of PostgreSQL's servers: none tells a driver the SQLSTATE of
#: a login. Of Latin letters the plain ones alone are gone by: a server may write the others as ``?``.
_REFUSED_LOGIN = (
    "Passwort-Authentifizierung|autentificaci.{1,2}n password|authentification par mot de passe|"
    "autenticazione con password fallita|パスワード認証|პაროლით ავთენტიფიკაცია|password 인증을|"
    r"проверку подлинности \(по паролю\)|senordsautentisering misslyckades|за допомогою пароля|"
    "Password 认证失败"
)

#: Words of PostgreSQL, libpq and pgjdbc where no SQLSTATE tells, in the order they are tried. Some of the
#: meanings have no code of their own.
_WORDS: tuple[tuple[str, str], ...] = (
    (
        rf"password authentication failed|no password supplied|no password was provided|{_REFUSED_LOGIN}",
        "28P01",
    ),
    (
        r"pg_hba\.conf|authentication failed|role \".*\" does not exist|not permitted to log in",
        "28000",
    ),
    (r"database \".*\" does not exist", "3D000"),
    (r"does not support SSL|certificate verify failed|root certificate|SSL error|SSLHandshake|PKIX", "TLS"),
    (r"too many clients|too many connections|connection slots are reserved", "53300"),
    (r"the database system is (?:starting up|shutting down|in recovery)|not yet accepting", "57P03"),
    (r"terminating connection due to (?:administrator|unexpected)", "57P01"),
    (r"terminating connection due to (?:idle-in-transaction|transaction) timeout", "25P03"),
    (r"(?:canceling statement|terminating connection) due to conflict with recovery", "40001"),
    (r"deadlock detected", "40P01"),
    (r"out of shared memory|could not resize shared memory segment", "53200"),
    (r"No space left on device", "53100"),
    (r"query_wait_timeout", "08006"),
    (r"canceling statement due to lock timeout", LOCKED),
    (r"canceling statement due to", "57014"),
    (
        r"could not import the requested snapshot|invalid snapshot identifier|snapshot .* does not exist",
        "55000",
    ),
    (r"relation \".*\" does not exist|invalid reference to FROM-clause", "42P01"),
    (r"schema \".*\" does not exist", "3F000"),
    (r"column .* does not exist", "42703"),
    (r"would be affected by row-level security", "RLS"),
    (r"has not been populated", "UNPOPULATED"),
    (r"permission denied for", "42501"),
    (r"cannot execute .* in a read-only transaction", "25006"),
    (r"cross-database references", "CATALOG"),
    (r"syntax error at", "42601"),
    (r"invalid byte sequence for encoding", NOT_UTF_8),
    (r"has no equivalent in encoding", NOT_IN_UTF_8),
    (READ_TIMED_OUT, "SILENT"),
    (r"[Cc]onnection refused|Connection to \S+ refused|connection attempt failed", "08001"),
    (r"timeout expired|connect timed out", "08001"),
    (r"could not translate host name|failed to resolve host|UnknownHostException", "08001"),
    (r"No route to host|Network is unreachable", "08001"),
    (r"server closed the connection|connection has been closed|connection is closed|EOFException", "08006"),
    (r"Connection reset|Broken pipe|I/O error occurred|consuming input failed", "08006"),
)

#: How errors begin that are about a value and quote it, whose words may be any.
_OF_A_VALUE = re.compile(
    r"(?:ERROR: *)?(?:invalid input (?:syntax|value) for |malformed |date/time field value |"
    r"(?:invalid )?value \")"
)

#: Meanings without a code of PostgreSQL's own.
OWN = frozenset({"TLS", "CATALOG", "SILENT", "RLS", "UNPOPULATED"})

#: Codes that say less than the words that come with them.
_VAGUE = frozenset({None, "0A000", "42501", "55000"})


#: What a code that says little means by the server's routine that gave it, which is no matter of language.
_ROUTINES = {
    ("42501", "check_enable_rls"): "RLS",
    ("55000", "ExecOpenScanRelation"): "UNPOPULATED",
    ("0A000", "RangeVarGetRelidExtended"): "CATALOG",
    # Another server, or one that has lost the session which the snapshot is of.
    ("22023", "ImportSnapshot"): "55000",
    ("42704", "ImportSnapshot"): "55000",
}


def code_of(sqlstate: str | None, message: str, routine: str | None = None) -> str | None:
    """Return the code to go by: the SQLSTATE, or what routine or words say where it is missing or vague."""
    told = _ROUTINES.get((sqlstate or "", routine or ""))
    if told is not None:
        return told
    if sqlstate in _VAGUE and not _OF_A_VALUE.match(message):
        for words, code in _WORDS:
            if re.search(words, message):
                return code
    return sqlstate


#: Signs of a language that is not English. A server whose own locale is C writes all in ASCII: ``f?r >>x<<``.
#: Typographic apostrophes, quotes and dashes are English, too: a pooler may write ``doesn’t``.
_TRANSLATED = re.compile(r"[^\x00-\x7f\u2010-\u2026]|\bFATAL[ET]: |\w\?\w|\?\?|>>|<<")


def is_translated(message: str, names: Iterable[str]) -> bool:
    """Return whether words at a login are a server's in another language than English, which poolers speak.

    ``names``: what the login itself brought into them.
    """
    for name in names:
        message = message.replace(name, "")
    return _TRANSLATED.search(message) is not None


def meaning_of(code: str | None) -> Meaning:
    """Return what a code means; one that is not known means that the source refused."""
    if code is None:
        return _OTHER
    return _MEANINGS.get(code) or _CLASSES.get(code[:2]) or _OTHER
