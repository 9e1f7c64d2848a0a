"""A session's looks at what its load does, and its end while one is under way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict

import psycopg
import pytest

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import DataloaderError, SourceUnavailable
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from tests.source_configs import endpoint_of
from tests.waiting import PATIENCE, eventually


def watching(source_db: psycopg.Connection, session: PostgresqlSession) -> list[int]:
    """Return the server processes of the session's watching connections."""
    name = f"{session.endpoint.application_name}-watch"
    found = source_db.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [name])
    return [pid for (pid,) in found]


def test_a_session_may_be_closed_at_any_moment_of_a_look(source_db: psycopg.Connection) -> None:
    where = asdict(endpoint_of(source_db))
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.sources.closed_under_looks"],
        input=json.dumps({name: where[name] for name in ("host", "port", "database", "user", "password")}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_server_does_not_track_is_not_seen(source_db: psycopg.Connection) -> None:
    endpoint = endpoint_of(source_db)
    with closing(PostgresqlSession(endpoint)) as session, closing(PostgresqlSession(endpoint)):
        assert session.activity() is not None
        source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET track_activities = off")
        # One connection is enough: what it does is as unknown as if all were like it.
        with closing(PostgresqlSession(endpoint)):
            assert session.activity() is None


def test_closing_waits_for_no_look_and_ends_it(source_db: psycopg.Connection) -> None:
    session = PostgresqlSession(endpoint_of(source_db))
    session.activity()
    (pid,) = watching(source_db, session)
    os.kill(pid, signal.SIGSTOP)
    try:
        seen: list[DataloaderError] = []

        def look() -> None:
            try:
                session.activity()
            except DataloaderError as error:
                seen.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        eventually("a look", session._watch._using.locked)
        session.close()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it waits for a server that says nothing"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert [type(error) for error in seen] == [SourceUnavailable]
    eventually("the end of its connection", lambda: watching(source_db, session) == [])


def test_a_server_without_a_connection_left_for_the_watch_has_answered(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    with closing(PostgresqlSession(login)) as session:
        session.open_snapshot()
        source_db.execute(f"ALTER ROLE {login.user} CONNECTION LIMIT 1")
        assert session.activity() is None
        source_db.execute(f"ALTER ROLE {login.user} NOLOGIN")
        with pytest.raises(DataloaderError):
            session.activity()


def test_a_closed_session_is_not_connected_to_again(source_db: psycopg.Connection) -> None:
    session = PostgresqlSession(endpoint_of(source_db))
    session.activity()
    session.close()
    session.close()
    with pytest.raises(SourceUnavailable):
        session.activity()
    eventually("the end of its connection", lambda: watching(source_db, session) == [])
