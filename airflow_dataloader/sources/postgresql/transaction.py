"""The transaction in which a load reads: one snapshot, and texts that mean the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from airflow_dataloader.sources.postgresql.quoting import literal

#: Settings that decide how values are written as text, and how a query's own texts are read. As few as can
#: be: a view or query is evaluated by them, too. Of dates, ISO says how they are written; in which order a
#: view or query takes day, month and year stays the source's, which is asked for (:data:`OWN`).
STYLES = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "extra_float_digits": "3",
    "xmloption": "content",
    "standard_conforming_strings": "on",
    # Not of values, but the catalogue's own texts of types' names are gone by, too.
    "quote_all_identifiers": "off",
}

#: Settings that stay the source's own, and are the same for all connections of a load: the role may be given
#: others between two of them. The JVM's driver says ISO where it connects, by which the order of dates that
#: the role or the database has is lost.
KEPT = ("DateStyle", "IntervalStyle", "bytea_output", "search_path")

#: The session's number, and what it has by now for :data:`KEPT`.
OWN = f"SELECT pg_backend_pid(), {', '.join(f'current_setting({literal(name)})' for name in KEPT)}"

#: The language that errors are recognised in, and whether the login may choose it. An engine passes a
#: server's words on, and no code.
ENGLISH = {"lc_messages": "C"}
CHOOSES_LANGUAGE = (
    "SELECT bool_and(has_parameter_privilege(name, 'lc_messages', 'SET')) "
    "FROM (VALUES (session_user), (current_user)) AS login(name)"
)

#: Milliseconds that a load waits, holding nothing, for whoever rebuilds the table.
HOLD_TIMEOUT = 300_000

#: Milliseconds that all its other statements wait for a lock. The load holds the table by then: whoever is
#: waited for waits for the load itself, and every other reader of the table waits behind both.
LOCK_TIMEOUT = 5_000

#: Milliseconds that it may take to connect to another server and to wait for a lock there: lock_timeout does
#: not reach it.
REMOTE_TIMEOUT = 20_000

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

#: A parameter that exists from PostgreSQL 17 on, set where it exists.
_NO_TRANSACTION_TIMEOUT = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
)


#: When what a standby replayed last was committed, or no row. To be asked before the snapshot is taken, since
#: the standby goes on, and the snapshot does not.
REPLAYED = "SELECT pg_last_xact_replay_timestamp() WHERE pg_is_in_recovery()"

#: Where that is noted for the rest of the transaction.
_NOTE = "dataloader.replayed"

#: The time up to which the snapshot shows what was committed. A standby that has replayed nothing since it
#: started does not say, and counts as one that lags behind by nothing.
SEEN_UNTIL = f"least(now(), CAST(nullif(current_setting('{_NOTE}', true), '') AS pg_catalog.timestamptz))"


def note_replayed(moment: datetime) -> str:
    """Return the statement that notes the answer to :data:`REPLAYED`."""
    return f"SET LOCAL {_NOTE} = {literal(moment.isoformat())}"


def session_init(
    snapshot: str | None,
    *,
    own: Mapping[str, str] | None = None,
    remote: Sequence[str] = (),
    statement_seconds: int = 0,
) -> str:
    """Return the statements that a reading connection runs first, inside its transaction.

    ``own``: settings that the session's transaction has beside those that all have; ``remote``: as in
    :func:`remote_locks`.

    Outside a transaction a snapshot would be dropped without a word, and the partitions of a read would not
    fit together; the savepoint makes that an error.
    """
    begin = [
        "SAVEPOINT dataloader",
        "RELEASE SAVEPOINT dataloader",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    ]
    if snapshot is not None:
        begin.append(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
    begin += settings(own, statement_seconds=statement_seconds)
    return "; ".join(begin + remote_locks(remote, statement_seconds=statement_seconds))


def remote_locks(
    tables: Sequence[str], *, milliseconds: int = REMOTE_TIMEOUT, statement_seconds: int = 0
) -> list[str]:
    """Return the statements that lock foreign tables where they are, and so begin what is seen of them.

    A transaction here has one there, whose state is fixed by its first statement, before that waits for a
    lock: a table that is rebuilt there meanwhile would show no rows. So each connection of a load has its
    locks before it reads, while the one before it keeps its own. ``milliseconds``: how long each may take;
    ``statement_seconds``: what statements may take after that.
    """
    if not tables:
        return []
    # LIMIT 0 is passed on, so that nothing is computed there, and nothing sent.
    locks = (f"SELECT FROM ONLY {table} LIMIT 0" for table in tables)
    limit = "SET LOCAL statement_timeout = {}"
    return [limit.format(milliseconds), *locks, limit.format(statement_seconds * 1000)]


def settings(
    own: Mapping[str, str] | None = None, *, statement_seconds: int = 0, lock_timeout: int = LOCK_TIMEOUT
) -> list[str]:
    """Return the statements that fix styles and timeouts for the rest of the transaction.

    ``own``: as in :func:`session_init`; ``lock_timeout`` is in milliseconds.
    """
    others = [(literal(name), literal(value)) for name, value in (own or {}).items()]
    return [
        *(f"SET LOCAL {name} = {literal(value)}" for name, value in STYLES.items()),
        # As it is written: SET would take a list of schemas for one name.
        *(f"SELECT set_config({name}, {value}, true)" for name, value in others),
        f"SET LOCAL statement_timeout = {statement_seconds * 1000}",
        f"SET LOCAL lock_timeout = {lock_timeout}",
        "SET LOCAL idle_in_transaction_session_timeout = 0",
        _NO_TRANSACTION_TIMEOUT,
    ]
