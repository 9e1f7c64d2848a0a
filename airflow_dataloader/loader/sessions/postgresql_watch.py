"""What a load's connections do at a PostgreSQL source, seen over a connection of its own."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

import psycopg

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.loader.sessions.protocol import Activity
from airflow_dataloader.sources.postgresql.connection import psycopg_kwargs

#: A connection that cannot hand its rows over computes nothing. The marks are NULL where the server does not
#: say what connections do (track_activities). Last: whether the session's own is there.
_ACTIVITY = """
    SELECT coalesce(bool_or(state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite')
            FILTER (WHERE pid <> %s), false),
        CASE WHEN bool_or(state = 'disabled') IS NOT TRUE THEN
            coalesce(array_agg(concat_ws(' ', pid, state, state_change)) FILTER (WHERE pid <> %s), '{}') END,
        coalesce(bool_or(pid = %s), false)
    FROM pg_stat_activity
    WHERE application_name = %s AND usename = session_user AND datname = current_database()
"""


class PostgresqlWatch:
    """One thread looks, and any other may end it.

    libpq frees a connection that is closed, also under another thread that is about to use it, which ends the
    process. So whoever ends the watch closes its connection only where no look is under way, and lets such
    a look fail otherwise; its thread closes the connection then.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection: psycopg.Connection[Any] | None = None
        #: Held by whoever uses the connection.
        self._using = threading.Lock()
        #: Held by whoever ends it: a closed socket's number may be another one's the next moment.
        self._ending = threading.Lock()
        self._over = False
        #: Whether a look has found the session's own backend at the server.
        self._seen = False
        #: Whether it has had to connect again since, and has not found that backend there.
        self._strange = False

    def look(self, pid: int, *, asking: bool) -> Activity | None:
        """Return what the connections do; that of backend ``pid`` counts only while it is ``asking``.

        None where they are not to be seen. Raises psycopg.Error, also once the watch has been ended.
        """
        try:
            with self._using:
                return self._looked(pid, asking=asking)
        finally:
            if self._over:
                self._close_unused()

    def end(self) -> None:
        """Close the connection, or let the look fail that is under way. May be called again."""
        self._over = True
        self._close_unused()

    def _looked(self, pid: int, *, asking: bool) -> Activity | None:
        if self._over:
            raise psycopg.OperationalError("the session is closed")
        if self._connection is None or self._connection.closed:
            # Under another name, so that it is not taken for a read.
            kwargs = psycopg_kwargs(self._endpoint)
            kwargs["application_name"] = f"{self._endpoint.application_name}-watch"
            self._connection = psycopg.connect(**kwargs)
            # What answers now may be another server than before, or the same one started anew.
            self._strange = self._seen
        idle = 0 if asking else pid
        row = as_login(self._connection, _ACTIVITY, idle, idle, pid, self._endpoint.application_name)
        assert row is not None, "an aggregate has a row"
        busy, marks, there = row
        if marks is None:
            return None
        if there:
            self._seen, self._strange = True, False
        if marks or self._strange:
            return Activity(busy=busy, marks=frozenset(marks))
        return None

    def _close_unused(self) -> None:
        with self._ending:
            if self._using.acquire(blocking=False):
                try:
                    if self._connection is not None:
                        self._connection.close()
                finally:
                    self._using.release()
            elif self._connection is not None:
                shut(self._connection)


def as_login(connection: psycopg.Connection[Any], sql: str, *values: int | str) -> tuple[Any, ...] | None:
    """Return the one row of ``sql``, asked with the login's own rights.

    A role that the login takes by itself may neither end the login's queries nor see what they do.
    """
    with connection.transaction():
        connection.execute("SET LOCAL ROLE NONE")
        return connection.execute(sql, values).fetchone()


def shut(connection: psycopg.Connection[Any]) -> None:
    """Shut the socket down under whoever waits for it; the connection is theirs to close."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)
