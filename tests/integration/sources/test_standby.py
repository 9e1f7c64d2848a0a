"""A standby as the source: it shows what its primary had some time ago, and goes on while a load reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.postgresql.transaction import SEEN_UNTIL
from airflow_dataloader.workspace import postgres_binaries
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config, endpoint_of
from tests.waiting import eventually

if TYPE_CHECKING:
    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from airflow_dataloader.sources.dialect import Frozen
    from tests.conftest import Server


@pytest.fixture(scope="module")
def standby(postgres: Server) -> Iterator[EmbeddedPostgres]:
    """Run a server that follows the tests' own."""
    home = Path(tempfile.mkdtemp(prefix="dataloader-tests-"))
    home.chmod(0o755)
    chosen = os.environ.get("DATALOADER_TEST_POSTGRES")
    programs = Path(chosen) if chosen else postgres_binaries.find()
    # Whoever reads is never ended so that replay can go on.
    patience = {"max_standby_streaming_delay": "-1"}
    follower = EmbeddedPostgres(
        home / "standby",
        fsync=False,
        max_connections=200,
        settings=patience,
        binaries=programs if chosen else None,
    )
    follower.data_dir.mkdir()
    (follower.data_dir / "password").write_text(postgres.password)
    (follower.data_dir / "password").chmod(0o600)
    copy = [programs / "pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
    subprocess.run([*copy, "-D", follower.data_dir / "cluster", "-d", postgres.url()], check=True)
    with follower:
        yield follower
    shutil.rmtree(home)


@pytest.fixture
def copy_db(source_db: psycopg.Connection, standby: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """Connection to the standby's copy of ``source_db``, which holds still when it is told to."""

    def followed() -> bool:
        try:
            psycopg.connect(standby.url(source_db.info.dbname)).close()
        except psycopg.OperationalError:
            return False
        return True

    eventually("the database at the standby", followed)
    with psycopg.connect(standby.url(source_db.info.dbname), autocommit=True) as connection:
        yield connection
        connection.execute("SELECT pg_wal_replay_resume()")


def follow(source_db: psycopg.Connection, copy_db: psycopg.Connection) -> None:
    """Wait until the standby shows what the primary has."""
    row = source_db.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    assert row is not None
    reached = f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'"
    eventually("the replay", lambda: copy_db.execute(reached).fetchone() == (True,))


def freeze(session: SourceSession, low: str | None = None) -> tuple[Frozen, list[int]]:
    """Freeze a window of ``t`` and read it."""
    described = session.describe("t")
    settings = config(lookback="0")
    columns = POSTGRESQL.plan_columns(described, settings.value_policy, ("at",)).columns
    cursor = POSTGRESQL.cursor(described, columns, settings)
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, low)
    where = POSTGRESQL.window_predicate(cursor, low, frozen.high, null_policy=NullCursorPolicy.EXCLUDE)
    return frozen, [row for (row,) in session.query(f"SELECT id FROM t WHERE {where} ORDER BY id")]


@pytest.mark.parametrize("goes_on", [False, True], ids=["standing", "going on"])
@pytest.mark.parametrize("sql_type", ["timestamptz", "timestamp"])
def test_a_standby_that_lags_hides_nothing_behind_a_row_of_the_future(
    source_db: psycopg.Connection, copy_db: psycopg.Connection, sql_type: str, goes_on: bool
) -> None:
    source_db.execute("SET TimeZone = 'UTC'")
    source_db.execute(f"CREATE TABLE t (id int PRIMARY KEY, at {sql_type})")
    source_db.execute("INSERT INTO t VALUES (1, '2026-01-01'), (2, '2999-01-01')")
    follow(source_db, copy_db)
    copy_db.execute("SELECT pg_wal_replay_pause()")
    source_db.execute("INSERT INTO t VALUES (3, clock_timestamp())")
    with closing(open_session(endpoint_of(copy_db))) as session:
        session.open_snapshot()
        if goes_on:
            # The snapshot stays where it is.
            copy_db.execute("SELECT pg_wal_replay_resume()")
            follow(source_db, copy_db)
        first, read = freeze(session)
        assert (read, first.ahead) == ([1, 2], True)
    copy_db.execute("SELECT pg_wal_replay_resume()")
    follow(source_db, copy_db)
    with closing(open_session(endpoint_of(copy_db))) as session:
        session.open_snapshot()
        assert freeze(session, first.watermark)[1] == [1, 2, 3]


def test_a_standby_that_lags_has_no_rows_of_the_future(
    source_db: psycopg.Connection, copy_db: psycopg.Connection
) -> None:
    source_db.execute("CREATE TABLE t (id int PRIMARY KEY, at timestamptz)")
    source_db.execute("INSERT INTO t VALUES (1, clock_timestamp())")
    follow(source_db, copy_db)
    with closing(open_session(endpoint_of(copy_db))) as session:
        session.open_snapshot()
        first, _ = freeze(session)
        assert not first.ahead
        assert freeze(session, first.watermark)[1] == [1]


def test_a_standby_that_cannot_say_is_seen_until_now(source_db: psycopg.Connection) -> None:
    """As a reader of Aurora, which calls itself a standby and refuses the question."""
    source_db.execute("CREATE SCHEMA aurora")
    source_db.execute(
        "CREATE FUNCTION aurora.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    )
    source_db.execute("""
        CREATE FUNCTION aurora.pg_last_xact_replay_timestamp() RETURNS timestamptz LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'not supported' USING ERRCODE = 'feature_not_supported'; END $$""")
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET search_path = aurora, pg_catalog, public")
    with closing(open_session(endpoint_of(source_db))) as session:
        session.open_snapshot()
        assert session.query(f"SELECT pg_is_in_recovery(), {SEEN_UNTIL} = now()") == [(True, True)]


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_a_standby_may_write_times_in_any_style(
    source_db: psycopg.Connection, copy_db: psycopg.Connection, style: str
) -> None:
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET DateStyle = '{style}'")
    follow(source_db, copy_db)
    with closing(open_session(endpoint_of(copy_db))) as session:
        session.open_snapshot()
        assert session.query(f"SELECT {SEEN_UNTIL} < now()") == [(True,)]


def test_what_is_no_standby_is_seen_until_now(session: SourceSession) -> None:
    session.open_snapshot()
    assert session.query(f"SELECT {SEEN_UNTIL} = now()") == [(True,)]
