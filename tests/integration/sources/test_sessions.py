"""The loader's own connection to a real PostgreSQL: snapshot, limits, errors, and how reads are ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from airflow_dataloader.exceptions import (
    SourceRefused,
    SourceUnavailable,
)
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.protocol import SnapshotKind
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.registry import dialect_of
from tests.integration.sources.reads import as_engine
from tests.sessions import sessions
from tests.source_configs import connect_beside, endpoint_of
from tests.waiting import PATIENCE, eventually, until

if TYPE_CHECKING:
    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession

POSTGRESQL = dialect_of("postgresql")


def test_a_snapshot_holds_for_the_session_and_for_whoever_names_it(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    snapshot = session.open_snapshot()
    assert snapshot.kind is SnapshotKind.EXPORTED
    source_db.execute("INSERT INTO t VALUES (2)")
    assert session.query("SELECT id FROM t") == [(1,)]
    with connect_beside(source_db) as other:
        other.execute(POSTGRESQL.session_init(snapshot.id))
        assert other.execute("SELECT id FROM t").fetchall() == [(1,)]
    with connect_beside(source_db) as other:
        other.execute(POSTGRESQL.session_init(None))
        assert other.execute("SELECT id FROM t").fetchall() == [(1,), (2,)]


def test_a_question_beside_has_the_snapshot_and_a_time_of_its_own(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    init = POSTGRESQL.session_init(session.open_snapshot().id)
    source_db.execute("INSERT INTO t VALUES (2)")
    ((rows, own),) = session.query("SELECT (SELECT count(*) FROM t), now()")
    ((again, other),) = session.query_beside(init, "SELECT (SELECT count(*) FROM t), now()")
    assert (rows, again) == (1, 1)
    assert other > own == session.query("SELECT now()")[0][0]
    with pytest.raises(SourceRefused):
        session.query_beside(init, "SELECT 1; SELECT 2")


def test_a_snapshot_is_never_dropped_without_a_word(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """With autocommit on, SET TRANSACTION SNAPSHOT does nothing and says so to nobody."""
    snapshot = session.open_snapshot()
    with connect_beside(source_db, autocommit=True) as other, pytest.raises(psycopg.Error) as refusal:
        other.execute(POSTGRESQL.session_init(snapshot.id))
    assert refusal.value.sqlstate == "25P01"


def test_a_snapshot_ends_with_its_session(source_db: psycopg.Connection, session: SourceSession) -> None:
    snapshot = session.open_snapshot()
    session.close()
    session.close()

    def is_gone() -> bool:
        try:
            with connect_beside(source_db) as other:
                other.execute(POSTGRESQL.session_init(snapshot.id))
        except psycopg.Error:
            return True
        return False

    eventually("the end of the snapshot", is_gone)


def test_where_no_snapshot_can_be_shared_the_session_still_sees_one_state(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    source_db.execute("REVOKE EXECUTE ON FUNCTION pg_export_snapshot() FROM public")
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id; GRANT SELECT ON t TO public")
    with closing(PostgresqlSession(login)) as plain:
        snapshot = plain.open_snapshot()
        assert (snapshot.kind, snapshot.id) == (SnapshotKind.NONE, None)
        assert plain.query("SELECT id FROM t") == [(1,)]
        source_db.execute("INSERT INTO t VALUES (2)")
        assert plain.query("SELECT id FROM t") == [(1,)]
        assert plain.query("SHOW transaction_isolation") == [("repeatable read",)]


def test_a_backslash_means_itself_whatever_the_database_says(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession]
) -> None:
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET standard_conforming_strings = off")
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET backslash_quote = on")
    session = open_source()
    relation = r"(SELECT '50\%' AS a, 1 AS b WHERE '\' <> '?') AS q"
    session.hold(relation)
    snapshot = session.open_snapshot()
    assert session.query(f"SELECT a FROM {relation}") == [("50\\%",)]
    with connect_beside(source_db) as other:
        other.execute(POSTGRESQL.session_init(snapshot.id))
        assert other.execute(f"SELECT a FROM {relation}").fetchall() == [("50\\%",)]


def test_an_engine_s_question_for_a_schema_reads_a_query_as_the_session_does(
    source_db: psycopg.Connection,
) -> None:
    """It is asked before any statement of ours, by a driver that sets the style of dates itself."""
    name = source_db.info.dbname
    source_db.execute(f"ALTER DATABASE {name} SET standard_conforming_strings = off")
    source_db.execute(f"ALTER DATABASE {name} SET DateStyle = 'SQL, DMY'")
    relation = r"(SELECT date '25/12/2020' AS day, '\' AS sign) AS q"
    with closing(PostgresqlSession(endpoint_of(source_db))) as session:
        session.hold(relation)
        snapshot = session.open_snapshot()
        assert [column.name for column in session.describe(relation)] == ["day", "sign"]
        with as_engine(session.endpoint, snapshot) as engine:
            assert engine.execute(f"SELECT * FROM {relation} WHERE 1=0").fetchall() == []
            assert engine.execute("SHOW DateStyle").fetchone() == ("ISO, DMY",)


@pytest.mark.parametrize("of", ["login", "taken"])
def test_errors_come_in_english_where_the_login_may_choose(
    source_db: psycopg.Connection, login: Endpoint, of: str
) -> None:
    if source_db.info.server_version < 150000:
        pytest.skip("before version 15 nobody can be given the right")
    taken = f"taken_{uuid4().hex[:8]}"
    source_db.execute(f"CREATE ROLE {taken} IN ROLE pg_monitor; GRANT {taken} TO {login.user}")
    source_db.execute(f"ALTER ROLE {login.user} SET role = {taken}")
    try:
        with closing(PostgresqlSession(login)) as session:
            assert "lc_messages" not in session.open_snapshot().settings
        source_db.execute(f"GRANT SET ON PARAMETER lc_messages TO {login.user if of == 'login' else taken}")
        with closing(PostgresqlSession(login)) as session:
            snapshot = session.open_snapshot()
            # Whoever has taken a role sets by its rights, and by the login's own as the connection begins.
            assert ("lc_messages" in snapshot.settings) is (of == "taken")
            with as_engine(login, snapshot) as engine, engine.transaction():
                engine.execute(POSTGRESQL.session_init(snapshot.id, own=snapshot.settings))
    finally:
        source_db.execute(f"DROP OWNED BY {taken}; DROP ROLE {taken}")


@pytest.mark.parametrize("relation", ["t", "p", "(SELECT * FROM v) AS q"])
def test_rows_of_a_table_that_is_rebuilt_meanwhile_are_seen(
    source_db: psycopg.Connection, session: SourceSession, relation: str
) -> None:
    """Who had a snapshot before it waited for the table would see none of its rows, old or new."""
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id; CREATE VIEW v AS SELECT id FROM t")
    source_db.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    source_db.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9); INSERT INTO p VALUES (1)")
    with connect_beside(source_db) as etl:
        etl.execute("TRUNCATE t, p1; INSERT INTO t VALUES (2), (3); INSERT INTO p VALUES (2), (3)")
        holding, errors = _in_background(lambda: session.hold(relation))
        until(lambda: _count(source_db, "wait_event_type = 'Lock'") == 1)
    holding.join(PATIENCE)
    assert not errors
    source_db.execute("SET lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        source_db.execute("TRUNCATE t, p1")
    session.open_snapshot()
    session.describe(relation)
    with pytest.raises(psycopg.errors.LockNotAvailable):
        source_db.execute("TRUNCATE t, p1")
    assert session.query(f"SELECT id FROM {relation} ORDER BY id") == [(2,), (3,)]
    eventually("the end of other sessions", lambda: sessions(source_db, "adl-test-1") == 1)


def test_what_is_given_up_while_a_table_is_rebuilt_ends_at_once(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 1 AS id")
    with connect_beside(source_db) as etl:
        etl.execute("TRUNCATE t")
        holding, errors = _in_background(lambda: session.hold("t"))
        until(lambda: _count(source_db, "wait_event_type = 'Lock'") == 1)
        session.abandon()
        holding.join(PATIENCE)
        assert [type(error) for error in errors] == [SourceUnavailable]


def test_nothing_is_set_for_whoever_has_the_connection_next(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """A pooler gives it to others when the transaction is over."""
    source_db.execute("CREATE TABLE t (id int)")
    session.describe("t")
    session.cancel_reads()
    set_here = "SELECT name FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%'"
    assert session.query(set_here) == []


def test_a_role_s_own_limits_do_not_end_a_load(source_db: psycopg.Connection, login: Endpoint) -> None:
    limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if source_db.info.server_version >= 170000:
        limits.append("transaction_timeout")
    for name in limits:
        source_db.execute(f"ALTER ROLE {login.user} SET {name} = '300ms'")
    with closing(PostgresqlSession(login)) as limited:
        snapshot = limited.open_snapshot()
        time.sleep(0.5)
        assert limited.query("SELECT 1 FROM pg_sleep(0.5)") == [(1,)]
        init = POSTGRESQL.session_init(snapshot.id, own=snapshot.settings, statement_seconds=60)
        with psycopg.connect(
            host=login.host, port=login.port, dbname=login.database, user=login.user, password=login.password
        ) as other:
            other.execute(init)
            time.sleep(0.5)
            other.execute("SELECT pg_sleep(0.5)")
            assert other.execute("SHOW statement_timeout").fetchone() == ("1min",)


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE x (id int)",
        "INSERT INTO t VALUES (9)",
        "SELECT nextval('s')",
        "SELECT id FROM t FOR UPDATE",
    ],
)
def test_nothing_can_be_written_through_a_session(
    source_db: psycopg.Connection, session: SourceSession, sql: str, snapshot: bool
) -> None:
    source_db.execute("CREATE TABLE t (id int); CREATE SEQUENCE s")
    if snapshot:
        session.open_snapshot()
    with pytest.raises(SourceRefused, match="read-only transaction"):
        session.query(sql)


@pytest.mark.parametrize("text", ["SELECT 1) AS q; DROP TABLE t; SELECT (1", "SELECT 1; DROP TABLE t"])
def test_a_second_statement_is_refused_by_the_server_itself(
    source_db: psycopg.Connection, session: SourceSession, text: str
) -> None:
    source_db.execute("CREATE TABLE t (id int)")
    with pytest.raises(SourceRefused) as refusal:
        session.describe(f"({text}\n) AS q")
    assert refusal.value.field == "query"
    assert source_db.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_query_s_columns_are_described_as_a_table_s(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute('CREATE TABLE t (id int, "Total (€)" numeric(10,2), tags text[])')
    table = session.describe('"t"')
    assert session.describe("(SELECT * FROM t\n) AS q") == table
    assert [(column.name, column.base, column.declared, column.array) for column in table] == [
        ("id", "int4", "integer", False),
        ("Total (€)", "numeric", "numeric(10,2)", False),
        ("tags", "_text", "text[]", True),
    ]


def test_columns_cannot_change_once_they_were_described(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (id int); SET lock_timeout = '200ms'")
    session.open_snapshot()
    session.describe("t")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        source_db.execute("ALTER TABLE t ADD COLUMN late int")


def _count(source_db: psycopg.Connection, condition: str) -> int:
    row = source_db.execute(
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {condition}"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _in_background(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def test_cancelling_ends_the_load_s_own_query_and_what_engines_still_run(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    session.open_snapshot()
    engine = connect_beside(source_db, application_name="adl-test-1")
    stranger = connect_beside(source_db, application_name="adl-test-10")
    stranger.execute("SELECT 1")
    own, own_errors = _in_background(lambda: session.query("SELECT pg_sleep(600)"))
    read, read_errors = _in_background(lambda: engine.execute("SELECT pg_sleep(600)"))
    sleeping = "query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
    until(lambda: _count(source_db, f"{sleeping} AND state = 'active'") == 2)
    session.cancel_reads()
    own.join(PATIENCE)
    read.join(PATIENCE)
    assert [type(error) for error in own_errors] == [SourceUnavailable]
    assert len(read_errors) == 1
    # The engine's connection sat idle in its transaction and was ended; the session's own is still there.
    until(lambda: _count(source_db, "application_name = 'adl-test-1'") == 1)
    assert stranger.execute("SELECT 2").fetchone() == (2,)
    stranger.close()
    engine.close()


def test_a_role_that_the_login_takes_by_itself_hides_no_read(source_db: psycopg.Connection) -> None:
    login, taken = f"login_{uuid4().hex[:8]}", f"taken_{uuid4().hex[:8]}"
    source_db.execute(f"CREATE ROLE {taken}; CREATE ROLE {login} LOGIN PASSWORD 'x' IN ROLE {taken}")
    source_db.execute(f"ALTER ROLE {login} SET role = {taken}")
    try:
        endpoint = endpoint_of(source_db, user=login, password="x")
        with closing(PostgresqlSession(endpoint)) as session:
            session.open_snapshot()
            assert session.query("SELECT current_user::text") == [(taken,)]
            own, errors = _in_background(lambda: session.query("SELECT pg_sleep(600)"))
            until(lambda: _count(source_db, "query LIKE '%pg_sleep(600)%' AND state = 'active'") > 1)
            activity = session.activity()
            assert activity is not None
            assert activity.busy
            session.cancel_reads()
            own.join(PATIENCE)
            assert [type(error) for error in errors] == [SourceUnavailable]
    finally:
        source_db.execute(f"DROP ROLE {login}; DROP ROLE {taken}")


def test_cancelling_when_nothing_runs_does_no_harm(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    session.open_snapshot()
    session.cancel_reads()
    assert session.query("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGHOSTADDR", "127.0.0.9"),
        ("PGSSLMODE", "require"),
        ("PGSSLROOTCERT", "system"),
        ("PGCHANNELBINDING", "require"),
        ("PGGSSENCMODE", "require"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGSSLNEGOTIATION", "direct"),
        ("PGREQUIREAUTH", "none"),
        ("PGSSLCERTMODE", "require"),
        ("PGSSLMINPROTOCOLVERSION", "TLSv9"),
        ("PGMINPROTOCOLVERSION", "latest"),
        ("PGMAXPROTOCOLVERSION", "none"),
        ("PGLOADBALANCEHOSTS", "always"),
        ("PGREQUIREPEER", "nobody"),
        ("PGGSSDELEGATION", "x"),
    ],
)
def test_what_the_environment_says_to_libpq_is_not_about_the_source(
    source_db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    endpoint = endpoint_of(source_db)
    monkeypatch.setenv(variable, value)
    with closing(open_session(endpoint)) as session:
        assert session.query("SELECT current_database()") == [(source_db.info.dbname,)]
