"""A session at a PostgreSQL source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import DataloaderError, SourceRefused, SourceUnavailable
from airflow_dataloader.loader.sessions.postgresql_watch import PostgresqlWatch, as_login, shut
from airflow_dataloader.loader.sessions.protocol import Activity, Snapshot, SnapshotKind
from airflow_dataloader.sources.model import Dependencies, DescribedColumn, ErrorContext
from airflow_dataloader.sources.postgresql import transaction
from airflow_dataloader.sources.postgresql.connection import (
    forget_settings_of_libpq,
    psycopg_kwargs,
    row_security,
)
from airflow_dataloader.sources.postgresql.dependencies import dependencies, remote_tables
from airflow_dataloader.sources.postgresql.describe import (
    ResultColumn,
    describe_sql,
    described,
    types_sql,
)
from airflow_dataloader.sources.postgresql.error_codes import NO_CONNECTION_LEFT, code_of, is_translated
from airflow_dataloader.sources.postgresql.errors import explain, undecodable

log = logging.getLogger(__name__)

#: The first version in which somebody can be given the right to set a parameter.
_GIVES_RIGHTS = 150_000

#: Seconds that a cancelled query gets to end before its connection is ended.
_PATIENCE = 3.0

#: Seconds that ending the load's queries may take, over a connection that may fall silent itself.
_LONGEST_END = 30.0

#: The activity view names a connection's login, whatever role it has taken since.
_OTHERS = """
    FROM pg_stat_activity
    WHERE application_name = current_setting('application_name') AND usename = session_user
      AND datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)
"""


class PostgresqlSession:
    """One psycopg connection; implements :class:`~.protocol.SourceSession`."""

    def __init__(self, endpoint: Endpoint) -> None:
        #: How the source is reached; see :class:`~.protocol.SourceSession`.
        self.endpoint = endpoint
        self._context = ErrorContext(endpoint=endpoint)
        self._asking = False
        self._holding: psycopg.Connection[Any] | None = None
        #: What the relation is made of at other servers.
        self._remote: tuple[str, ...] = ()
        forget_settings_of_libpq()
        with self._explained():
            self._connection = self._connected()
            self._pid = self._connection.info.backend_pid
        self._watch = PostgresqlWatch(self.endpoint)

    def describe(self, relation: str) -> tuple[DescribedColumn, ...]:
        """Return the relation's columns, read from the description of an empty result."""
        self._context = replace(self._context, from_query=relation.startswith("("), relation=relation)
        with self._explained():
            columns = _columns(self._execute(describe_sql(relation)))
            types = self._execute(types_sql(columns)).fetchall() if columns else []
        if self._connection.info.transaction_status is TransactionStatus.INTRANS:
            self._let_go()
        return described(columns, types)

    def hold(self, relation: str) -> Dependencies:
        """Lock what the relation is made of, over a connection of its own, until the session has done so.

        TRUNCATE and rewrites show in older snapshots, too, and the rows that came with them do not. A
        transaction whose first statement waits for the lock has its snapshot from before; so another waits.
        """
        self._context = replace(self._context, from_query=relation.startswith("("), relation=relation)
        with self._explained():
            self._holding = psycopg.connect(**psycopg_kwargs(self.endpoint))
            self._asking = True
            try:
                self._holding.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
                return self._held(self._holding, relation)
            finally:
                self._asking = False

    def _held(self, holding: psycopg.Connection[Any], relation: str) -> Dependencies:
        own, longest = row_security(self.endpoint), transaction.HOLD_TIMEOUT
        # A description may wait elsewhere, too, where no limit to locks is known.
        whole = (longest + transaction.REMOTE_TIMEOUT) // 1000
        for statement in transaction.settings(own, statement_seconds=whole, lock_timeout=longest):
            holding.execute(statement)
        holding.execute(describe_sql(relation), binary=True)
        ask = partial(_rows, holding)
        made = dependencies(ask, relation)
        self._remote = tuple(table for table in remote_tables(ask) if _is_locked_elsewhere(holding, table))
        return replace(made, remote=self._remote)

    def open_snapshot(self) -> Snapshot:
        """Begin the transaction that all later statements run in, and let other connections share it."""
        with self._explained():
            own = self._begin()
            snapshot = Snapshot(kind=SnapshotKind.EXPORTED, id=None, settings=own)
            try:
                row = self._connection.execute("SELECT pg_export_snapshot()").fetchone()
                snapshot = replace(snapshot, id=row[0] if row else None)
            except psycopg.Error as error:
                log.warning("The source cannot share a snapshot, so it is read at once: %s", error.sqlstate)
                self._connection.execute("ROLLBACK")
                snapshot = Snapshot(kind=SnapshotKind.NONE, id=None, settings=self._begin())
            self._asking = True
            try:
                for statement in transaction.remote_locks(self._remote):
                    self._connection.execute(statement)
            finally:
                self._asking = False
        return snapshot

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self._explained():
            return self._execute(sql).fetchall()

    def query_beside(self, init: str, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one statement, in a transaction of another connection after ``init``."""
        with (
            self._explained(),
            psycopg.connect(**psycopg_kwargs(self.endpoint)) as other,
            other.transaction(),
        ):
            other.execute(init)
            return other.execute(sql, binary=True).fetchall()

    def cancel_reads(self) -> None:
        """Cancel the load's queries, then end the connections that are still there."""
        with (
            self._explained(),
            psycopg.connect(**psycopg_kwargs(self.endpoint)) as other,
            _shut_after(other, _LONGEST_END),
        ):
            # The session's own connection is only cancelled: whoever uses it must see the error and close it.
            as_login(other, "SELECT pg_cancel_backend(%s)", self._pid)
            as_login(other, f"SELECT count(pg_cancel_backend(pid)) {_OTHERS}", self._pid)
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                if as_login(other, f"SELECT count(*) {_OTHERS}", self._pid) == (0,):
                    return
                time.sleep(0.05)
            as_login(other, f"SELECT count(pg_terminate_backend(pid)) {_OTHERS}", self._pid)

    def activity(self) -> Activity | None:
        """Return what the load's connections do; its own one counts while it waits for an answer."""
        try:
            with self._explained():
                return self._watch.look(self._pid, asking=self._asking)
        except SourceUnavailable as error:
            if error.sqlstate != NO_CONNECTION_LEFT:
                raise
            # The server answers, and whether the load's own connections move is not to be seen.
            log.warning("What the source does cannot be seen: %s", error)
            return None

    def abandon(self) -> None:
        """Shut the sockets down under whoever waits for them."""
        for connection in (self._connection, self._holding):
            if connection is not None:
                shut(connection)

    def close(self) -> None:
        """Close the connections, and with them the snapshot."""
        self._connection.close()
        self._let_go()
        self._watch.end()

    def _connected(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(**psycopg_kwargs(self.endpoint))
        except psycopg.OperationalError as error:
            said = _said(error)
            names = (self.endpoint.host, self.endpoint.database, self.endpoint.user)
            if code_of(error.sqlstate, said) is not None or is_translated(said, names):
                raise
        # These are no server's words: every pooler has its own for saying that it takes no settings.
        self.endpoint = replace(self.endpoint, takes_settings=False)
        return psycopg.connect(**psycopg_kwargs(self.endpoint))

    def _begin(self) -> dict[str, str]:
        """Begin the transaction; return the settings of its own that other connections must have, too."""
        replayed = self._replayed()
        own = {**row_security(self.endpoint), **self._language()}
        self._connection.execute(transaction.BEGIN)
        for statement in transaction.settings(own):
            self._connection.execute(statement)
        if replayed is not None:
            self._connection.execute(transaction.note_replayed(replayed))
        # A pooler between invents a number of its own when it is connected to.
        row = self._connection.execute(transaction.OWN).fetchone()
        assert row is not None, "functions have a value"
        self._pid, *kept = row
        return {**own, **dict(zip(transaction.KEPT, kept, strict=True))}

    def _replayed(self) -> datetime | None:
        try:
            # As a text it might be of any style.
            row = self._connection.execute(transaction.REPLAYED, binary=True).fetchone()
        except psycopg.errors.FeatureNotSupported:
            # Readers of Aurora call themselves standbys and replay nothing.
            return None
        return None if row is None else row[0]

    def _language(self) -> dict[str, str]:
        """Return the setting by which errors come in words that are known, where the login may set it."""
        if self._connection.info.server_version < _GIVES_RIGHTS:
            return {}
        row = self._connection.execute(transaction.CHOOSES_LANGUAGE).fetchone()
        return transaction.ENGLISH if row == (True,) else {}

    def _let_go(self) -> None:
        if self._holding is not None:
            self._holding.close()

    def _execute(self, sql: str) -> psycopg.Cursor[tuple[Any, ...]]:
        # The extended protocol, which a binary result asks for, takes one statement only: whatever a query
        # of a row may hold, it cannot end our transaction and begin something else.
        self._asking = True
        try:
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                return self._connection.execute(sql, binary=True)
            # Said for this transaction alone: behind a pooler the session is somebody else's after it.
            with self._connection.transaction():
                self._connection.execute("SET TRANSACTION READ ONLY")
                return self._connection.execute(sql, binary=True)
        finally:
            self._asking = False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._ours(error) from None
        except UnicodeDecodeError:
            raise undecodable(self._context) from None

    def _ours(self, error: psycopg.Error) -> DataloaderError:
        ours = explain(error.sqlstate, _said(error), self._context, error.diag.source_function)
        unknown = ours.sqlstate is None and isinstance(ours, SourceRefused)
        if unknown and isinstance(error, psycopg.OperationalError):
            # libpq spoke, in words that nobody here knows: it speaks about the connection.
            return explain("08006", _said(error), self._context)
        return ours


@contextmanager
def _shut_after(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, shut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _said(error: psycopg.Error) -> str:
    """Return the server's message, detail and hint without the statement; libpq's text where it spoke."""
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part for part in parts if part) or str(error)


def _is_locked_elsewhere(holding: psycopg.Connection[Any], table: str) -> bool:
    """Lock a foreign table where it is; return False where that server does not let the login have it.

    Then it is not read either, as a partition that a query leaves out, or the read says so.
    """
    try:
        with holding.transaction():
            for statement in transaction.remote_locks([table], milliseconds=transaction.HOLD_TIMEOUT):
                holding.execute(statement)
    except psycopg.Error as error:
        if holding.closed or isinstance(error, psycopg.errors.QueryCanceled):
            raise
        log.warning("Foreign table %s is not held at its own server: %s", table, error.sqlstate)
        return False
    return True


def _rows(connection: psycopg.Connection[Any], sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql, binary=True).fetchall()


def _columns(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[ResultColumn]:
    result = cursor.pgresult
    assert result is not None, "a statement that returned has a result"
    return [
        ResultColumn(
            name=(result.fname(number) or b"").decode(),
            type_oid=result.ftype(number),
            modifier=result.fmod(number),
        )
        for number in range(result.nfields)
    ]
