"""A session at a PostgreSQL source."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import DataloaderError, SourceRefused
from airflow_dataloader.loader.sessions.protocol import Activity, Snapshot, SnapshotKind
from airflow_dataloader.sources.dialect import DescribedColumn, ErrorContext
from airflow_dataloader.sources.postgresql import transaction
from airflow_dataloader.sources.postgresql.connection import psycopg_kwargs
from airflow_dataloader.sources.postgresql.describe import (
    ResultColumn,
    describe_sql,
    described,
    types_sql,
)
from airflow_dataloader.sources.postgresql.errors import explain

log = logging.getLogger(__name__)

#: Seconds that a cancelled query gets to end before its connection is ended.
_PATIENCE = 3.0

_OTHERS = """
    FROM pg_stat_activity
    WHERE application_name = current_setting('application_name') AND usename = current_user
      AND datname = current_database() AND pid NOT IN (pg_backend_pid(), %s)
"""

#: A connection that cannot hand its rows over computes nothing.
_ACTIVITY = """
    SELECT coalesce(bool_or(state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'), false),
        coalesce(array_agg(concat_ws(' ', pid, state, state_change)), '{}')
    FROM pg_stat_activity
    WHERE application_name = %s AND usename = current_user AND datname = current_database() AND pid <> %s
"""


class PostgresqlSession:
    """One psycopg connection; implements :class:`~.protocol.SourceSession`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context = ErrorContext(endpoint=endpoint)
        self._asking = False
        self._watching: psycopg.Connection[Any] | None = None
        with self._explained():
            self._connection = psycopg.connect(**psycopg_kwargs(endpoint))
            self._pid = self._connection.info.backend_pid
            self._connection.execute("SET default_transaction_read_only = on")

    def describe(self, relation: str) -> tuple[DescribedColumn, ...]:
        """Return the relation's columns, read from the description of an empty result."""
        self._context = replace(self._context, from_query=relation.startswith("("))
        with self._explained():
            columns = _columns(self._execute(describe_sql(relation)))
            types = self._execute(types_sql(columns)).fetchall() if columns else []
        return described(columns, types)

    def open_snapshot(self) -> Snapshot:
        """Begin the transaction that all later statements run in, and let other connections share it."""
        with self._explained():
            self._begin()
            try:
                row = self._connection.execute("SELECT pg_export_snapshot()").fetchone()
            except psycopg.Error as error:
                log.warning("The source cannot share a snapshot, so it is read at once: %s", error.sqlstate)
                self._connection.execute("ROLLBACK")
                self._begin()
                return Snapshot(kind=SnapshotKind.NONE, id=None)
        return Snapshot(kind=SnapshotKind.EXPORTED, id=row[0] if row else None)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one statement."""
        with self._explained():
            return self._execute(sql).fetchall()

    def cancel_reads(self) -> None:
        """Cancel the load's queries, then end the connections that are still there."""
        with self._explained(), psycopg.connect(**psycopg_kwargs(self._endpoint)) as other:
            # The session's own connection is only cancelled: whoever uses it must see the error and close it.
            other.execute("SELECT pg_cancel_backend(%s)", (self._pid,))
            other.execute(f"SELECT pg_cancel_backend(pid) {_OTHERS}", (self._pid,))
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                row = other.execute(f"SELECT count(*) {_OTHERS}", (self._pid,)).fetchone()
                if row == (0,):
                    return
                time.sleep(0.05)
            other.execute(f"SELECT pg_terminate_backend(pid) {_OTHERS}", (self._pid,))

    def activity(self) -> Activity | None:
        """Return what the load's connections do; its own one counts while it waits for an answer."""
        own = 0 if self._asking else self._pid
        with self._explained():
            if self._watching is None or self._watching.closed:
                # Under another name, so that it is not taken for a read.
                kwargs = psycopg_kwargs(self._endpoint)
                kwargs["application_name"] = f"{self._endpoint.application_name}-watch"
                self._watching = psycopg.connect(**kwargs)
            row = self._watching.execute(_ACTIVITY, (self._endpoint.application_name, own)).fetchone()
        assert row is not None, "an aggregate has a row"
        return Activity(busy=row[0], marks=frozenset(row[1])) if row[1] else None

    def abandon(self) -> None:
        """Shut the socket down under whoever waits for it."""
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connections, and with them the snapshot."""
        self._connection.close()
        if self._watching is not None:
            self._watching.close()

    def _begin(self) -> None:
        self._connection.execute(transaction.BEGIN)
        for statement in transaction.settings():
            self._connection.execute(statement)

    def _execute(self, sql: str) -> psycopg.Cursor[tuple[Any, ...]]:
        # The extended protocol, which a binary result asks for, takes one statement only: whatever a query
        # of a row may hold, it cannot end our transaction and begin something else.
        self._asking = True
        try:
            return self._connection.execute(sql, binary=True)
        finally:
            self._asking = False

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._ours(error) from None

    def _ours(self, error: psycopg.Error) -> DataloaderError:
        ours = explain(error.sqlstate, _said(error), self._context)
        unknown = ours.sqlstate is None and isinstance(ours, SourceRefused)
        if unknown and isinstance(error, psycopg.OperationalError):
            # libpq spoke, in words that nobody here knows: it speaks about the connection.
            return explain("08006", _said(error), self._context)
        return ours


def _said(error: psycopg.Error) -> str:
    """Return the server's message, detail and hint without the statement; libpq's text where it spoke."""
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part for part in parts if part) or str(error)


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
