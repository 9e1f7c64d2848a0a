"""What a loader's own connections to a source do when its server goes away, or falls silent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.sessions import postgresql
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.protocol import Activity
from tests.conftest import Server
from tests.faults.proxy import Fault, Plan, Proxy
from tests.source_configs import connect_beside, endpoint_of
from tests.waiting import eventually


@pytest.fixture
def away_db(spare: Server) -> Iterator[psycopg.Connection]:
    """A database on a server that may be restarted."""
    name = f"source_{uuid4().hex}"
    spare.create(name)
    with psycopg.connect(spare.url(name), autocommit=True) as connection:
        yield connection


def test_reads_that_went_with_their_server_are_no_movement(
    away_db: psycopg.Connection, spare: Server
) -> None:
    with closing(PostgresqlSession(endpoint_of(away_db))) as session:
        session.open_snapshot()
        assert session.activity() is None
        with connect_beside(away_db, application_name="adl-test-1"):
            read = session.activity()
            assert read is not None
            assert read.marks
        # They have ended well, and the server has noticed: what is left to do is the engine's.
        eventually("the end of the reads", lambda: session.activity() is None)
        with connect_beside(away_db, application_name="adl-test-1"):
            assert session.activity() is not None
            spare.restart()
            with pytest.raises(SourceUnavailable):
                session.activity()
            lost = Activity(busy=False, marks=frozenset())
            assert session.activity() == lost
            assert session.activity() == lost


def test_a_look_from_another_connection_at_the_same_server_still_knows_the_load(
    away_db: psycopg.Connection,
) -> None:
    with closing(PostgresqlSession(endpoint_of(away_db))) as session:
        session.open_snapshot()
        assert session.activity() is None
        away_db.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'adl-test-1-watch'"
        )
        with pytest.raises(SourceUnavailable):
            session.activity()
        assert session.activity() is None


def test_ending_queries_comes_to_an_end_itself(
    source_db: psycopg.Connection, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "_LONGEST_END", 0.5)
    with Proxy(postgres.port) as between:
        endpoint = endpoint_of(source_db, port=between.port)
        with closing(PostgresqlSession(endpoint)) as session:
            between.plan = Plan(Fault.STALL, asked=b"pg_cancel_backend")
            with pytest.raises(SourceUnavailable):
                session.cancel_reads()
        assert between.met == 1
