"""A transaction with the control database, in as few network round trips as it can be.

A transaction of ``n`` statements takes ``n + 1`` round trips: BEGIN and the settings travel with its first
statement. A statement that is marked ``LAST`` takes COMMIT with it, so that a transaction of one statement is
one round trip::

    with transaction(engine) as connection:
        connection.execute(statement, execution_options=LAST)

Settings are local to the transaction and nothing else is asked of the session, so that a transaction pooler
may stand between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from airflow_dataloader.control.errors import translated
from airflow_dataloader.control.tables import VERSION
from airflow_dataloader.core.texts import kept_text

_LAST = "dataloader_last"

#: Execution options of the statement that ends its transaction: COMMIT goes with it.
LAST: Mapping[str, Any] = {_LAST: True}

#: Limits of every transaction here, as PostgreSQL's settings.
LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}

#: Lifts a limit of the transaction as a whole, which servers before 17 do not know.
NO_TRANSACTION_TIMEOUT = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
)
_KNOWS_TRANSACTION_TIMEOUT = 170_000

#: How times are written as text, whatever the database, the role or the environment says. The driver does not
#: hear of it, as the setting is gone when the server reports; see :mod:`airflow_dataloader.control.times`.
_FORMS = {"DateStyle": "ISO"}

#: Whatever the database's default is: a claim has to see what the one before it committed, which a snapshot
#: from before its wait for the lock does not show.
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"

_STATE = "dataloader_transaction"
_CHECKED = "dataloader_version_checked"


@dataclass
class _TransactionState:
    """What one transaction still has to send, and how often it has waited for the server."""

    settings: dict[str, str]
    lock: int | None = None
    begun: bool = False
    ended: bool = False
    round_trips: int = 0


_round_trips: WeakKeyDictionary[Engine, int] = WeakKeyDictionary()


def round_trips(engine: Engine) -> int:
    """Return how often transactions of ``engine`` have waited for an answer over the network so far."""
    return _round_trips.get(engine, 0)


@contextmanager
def transaction(
    engine: Engine,
    *,
    readonly: bool = False,
    change_source: str | None = None,
    changed_by: str | None = None,
    settings: Mapping[str, str] | None = None,
    lock: int | None = None,
) -> Iterator[Connection]:
    """Yield a connection in a transaction that is committed at the end, or rolled back on an error.

    ``change_source`` and ``changed_by`` are what ``table_control_history`` says of the edits made here;
    ``settings`` are further settings of the transaction; ``lock`` is an advisory lock that it waits for
    before its first statement, which then sees what the lock's last holder committed. Raises
    ControlUnavailable, NotMigrated, and ConfigurationError where a constraint or trigger refuses a change.
    """
    chosen = {**LIMITS, **_FORMS, **(settings or {})}
    if readonly:
        chosen["transaction_read_only"] = "on"
    if change_source is not None:
        chosen["dataloader.change_source"] = change_source
    if changed_by is not None:
        chosen["dataloader.changed_by"] = kept_text(changed_by)
    state = _TransactionState(settings=chosen, lock=lock)
    try:
        with engine.connect() as connection:
            connection.execution_options(**{_STATE: state})
            try:
                yield connection
                connection.commit()
            finally:
                # COMMIT or ROLLBACK of their own, where the last statement did not take it along.
                state.round_trips += state.begun and not state.ended
                _round_trips[engine] = _round_trips.get(engine, 0) + state.round_trips
    except (DBAPIError, PoolTimeout) as error:
        # Hosts in a list have their ports in one, too, which an address of SQLAlchemy cannot hold.
        port = "" if engine.url.port is None else f":{engine.url.port}"
        place = f"{engine.url.database} at {engine.url.host}{port}"
        if meaning := translated(error, place):
            raise meaning from error
        raise


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Let what the database refuses in the block undo the block, and nothing else of the transaction.

    What is deferred to the transaction's end, such as a constraint trigger of somebody's own, is asked at the
    block's end: then it says which block it refuses.

    Unlike SQLAlchemy's, it is gone after that, too: one that is only rolled back goes on holding a lock in
    the server's table of them, which has room for some thousands.
    """
    connection.exec_driver_sql("SAVEPOINT dataloader")
    try:
        yield
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except DBAPIError:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT dataloader")
        connection.exec_driver_sql("RELEASE SAVEPOINT dataloader")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT dataloader")


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """Undo what a block does, and free what it locks, when it ends."""
    connection.exec_driver_sql("SAVEPOINT dataloader")
    yield
    connection.exec_driver_sql("ROLLBACK TO SAVEPOINT dataloader")
    connection.exec_driver_sql("RELEASE SAVEPOINT dataloader")


def listen(engine: Engine) -> None:
    """Make the statements of ``engine`` obey :func:`transaction`; others go their usual way."""
    event.listen(engine, "do_execute", _execute)
    event.listen(engine, "do_executemany", _execute_many)
    event.listen(engine, "checkin", _return)


def _execute(cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None) -> bool:
    return _send(cursor, context, lambda own: own.execute(statement, parameters))


def _execute_many(
    cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None
) -> bool:
    return _send(cursor, context, lambda own: own.executemany(statement, parameters))


def _send(
    cursor: DBAPICursor, context: ExecutionContext | None, send: Callable[[psycopg.Cursor[Any]], object]
) -> bool:
    """Send one statement with what has to travel with it. True: it is done, SQLAlchemy need not."""
    state = context.execution_options.get(_STATE) if context is not None else None
    if context is None or not isinstance(state, _TransactionState):
        return False
    if state.ended:
        raise RuntimeError("a statement follows the one that was marked as the transaction's last")
    assert isinstance(cursor, psycopg.Cursor), "the control database is opened with psycopg"
    last = bool(context.execution_options.get(_LAST))
    state.round_trips += 1
    if state.begun and not last:
        return False
    connection, info = cursor.connection, context.root_connection.info
    if not state.begun:
        # psycopg's own BEGIN waits for its answer; ours need not. Undone by _return.
        connection.autocommit = True
    with _pipeline(connection):
        if not state.begun:
            state.begun = True
            connection.execute(_BEGIN)
            _send_settings(connection, state, check_version=not info.get(_CHECKED))
        send(cursor)
        if last:
            connection.execute("COMMIT")
    # Known once a connection, and only after an answer.
    info[_CHECKED] = True
    state.ended = last
    return True


@contextmanager
def _pipeline(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Have the commands of a block travel together, and be answered together when it ends.

    An error that shows before the end is raised once; psycopg's block would also log what follows from it,
    and raise that in place of what interrupts the wait for the answers.
    """
    failed: BaseException | None = None
    try:
        with connection.pipeline():
            try:
                yield
            except psycopg.Error as error:
                failed = error
    except psycopg.Error as error:
        failed = failed or error
    interrupted = getattr(connection, "interrupted", None)
    if interrupted is not None:
        raise interrupted
    if failed is not None:
        raise failed


def _send_settings(
    connection: psycopg.Connection[Any], state: _TransactionState, *, check_version: bool
) -> None:
    settings = dict(state.settings)
    if connection.info.server_version >= _KNOWS_TRANSACTION_TIMEOUT:
        settings["transaction_timeout"] = "0"
    calls = ["set_config(%s, %s, true)"] * len(settings)
    values: list[str | int] = [part for pair in settings.items() for part in pair]
    if check_version:
        # A schema that this package cannot work with refuses the whole transaction.
        calls.append("control.require_version(%s)")
        values.append(VERSION)
    if state.lock is not None:
        # After lock_timeout is set, and in a statement of its own, so that the next has a later snapshot.
        calls.append("pg_advisory_xact_lock(%s)")
        values.append(state.lock)
    connection.execute(f"SELECT {', '.join(calls)}", values)


def _return(connection: object, _entry: ConnectionPoolEntry) -> None:
    """Give the pool its connection back as it was."""
    if isinstance(connection, psycopg.Connection) and not connection.closed:
        connection.autocommit = False
