"""A change of a table that waits for a load: nobody of the load's waits behind it for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.free_port import free_port
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.protocol import SnapshotKind
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.registry import dialect_of
from tests.faults.pooler import Pooler, pooling
from tests.integration.sources.changes import queued_change
from tests.source_configs import endpoint_of

if TYPE_CHECKING:
    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from tests.conftest import Server

POSTGRESQL = dialect_of("postgresql")
TABLE = '"public"."t"'


def as_the_jvm(endpoint: Endpoint) -> psycopg.Connection:
    """Connect with what the JVM's driver is told, and nothing of the test's own but a limit to waiting."""
    told = dict(parse_qsl(urlsplit(POSTGRESQL.jdbc(endpoint).url.removeprefix("jdbc:")).query))
    connection = psycopg.connect(
        host=endpoint.host,
        port=endpoint.port,
        dbname=endpoint.database,
        user=endpoint.user,
        password=endpoint.password,
        options=told.get("options", ""),
    )
    # Whoever waits for longer than a minute is told so by another error.
    connection.execute("SET statement_timeout = '60s'")
    connection.commit()
    return connection


def test_nobody_waits_for_long_behind_a_change_that_waits_for_the_load(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession]
) -> None:
    """Each would have to wait for the change, and the change for the load that they are part of."""
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    session, other = open_source(), open_source()
    session.hold(TABLE)
    snapshot = session.open_snapshot()
    session.describe(TABLE)
    endpoint = endpoint_of(source_db)
    errors: list[psycopg.Error | SourceUnavailable] = []

    def fails(read: Callable[[], object]) -> None:
        try:
            read()
        except (psycopg.Error, SourceUnavailable) as error:
            errors.append(error)

    def schema_query() -> None:
        with closing(as_the_jvm(endpoint)) as connection:
            connection.execute(f"SELECT * FROM (SELECT id FROM {TABLE}) AS q WHERE 1=0")

    def partition() -> None:
        with closing(as_the_jvm(endpoint)) as connection:
            connection.execute(POSTGRESQL.session_init(snapshot.id))
            connection.execute("SET LOCAL statement_timeout = '60s'")
            connection.execute(f"SELECT id FROM {TABLE}")

    with queued_change(source_db):
        reads = (schema_query, partition, lambda: other.describe(TABLE))
        threads = [threading.Thread(target=fails, args=(read,)) for read in reads]
        for thread in threads:
            thread.start()
        # What the load reads through its own session is read on.
        assert session.query(f"SELECT id FROM {TABLE}") == [(1,)]
        for thread in threads:
            thread.join(90)
    assert [error.sqlstate for error in errors] == ["55P03"] * 3


def test_a_session_that_lets_a_change_pass_says_so(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """Between its two connections a change has begun to wait for the first, and the second for the change."""
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    session.hold(TABLE)
    session.open_snapshot()
    with queued_change(source_db), pytest.raises(SourceUnavailable) as given_up:
        session.describe(TABLE)
    assert given_up.value.sqlstate == "55P03"
    assert given_up.value.message.startswith(f"{TABLE} is locked at the source")
    assert given_up.value.fix


def test_what_an_engine_says_of_it_names_the_table(source_db: psycopg.Connection) -> None:
    said = "Job aborted. org.postgresql.util.PSQLException: ERROR: canceling statement due to lock timeout"
    context = ErrorContext(endpoint=endpoint_of(source_db), relation=TABLE)
    known = POSTGRESQL.recognise(said, context)
    assert isinstance(known, SourceUnavailable)
    assert known.message.startswith(f"{TABLE} is locked at the source")


@pytest.fixture
def pooler(postgres: Server) -> Iterator[Pooler]:
    with pooling(postgres, address="127.0.0.1", port=free_port()) as running:
        yield running


@pytest.mark.faults
def test_a_pooler_that_takes_no_settings_is_given_none(source_db: psycopg.Connection, pooler: Pooler) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    through = endpoint_of(source_db, port=pooler.port)
    with closing(PostgresqlSession(through)) as session:
        session.hold(TABLE)
        assert session.open_snapshot().kind is SnapshotKind.EXPORTED
        session.describe(TABLE)
        with closing(as_the_jvm(session.endpoint)) as reader:
            assert reader.execute(f"SELECT id FROM {TABLE}").fetchall() == [(1,)]
        with queued_change(source_db), closing(PostgresqlSession(through)) as other:
            other.open_snapshot()
            with pytest.raises(SourceUnavailable, match="is locked at the source"):
                other.describe(TABLE)
