"""Foreign tables of another database, alone and below all that may hold one."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.free_port import free_port
from airflow_dataloader.loader.completeness import compare_with_source
from airflow_dataloader.loader.reading import read_everything
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.sources.postgresql.transaction import REMOTE_TIMEOUT
from tests.integration.sources.changes import queued_change
from tests.integration.sources.reads import POSTGRESQL, look
from tests.source_configs import connect_beside
from tests.waiting import eventually

if TYPE_CHECKING:
    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession


@pytest.fixture
def remote(source_db: psycopg.Connection) -> psycopg.Connection:
    """``source_db`` with ``far``, a foreign table of its own ``near``, and what is made of the two."""
    info = source_db.info
    source_db.execute("CREATE TABLE near AS SELECT n AS id FROM generate_series(1, 10) AS n")
    source_db.execute("CREATE EXTENSION postgres_fdw")
    server = sql.SQL(
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host {}, port {}, dbname {});"
        "CREATE USER MAPPING FOR public SERVER far OPTIONS (user {}, password {})"
    )
    options = (info.host, str(info.port), info.dbname, info.user, info.password)
    source_db.execute(server.format(*map(sql.Literal, options)))
    source_db.execute("""
        CREATE FOREIGN TABLE far (id int) SERVER far OPTIONS (table_name 'near');
        CREATE VIEW seen AS SELECT id FROM near UNION ALL SELECT id FROM far;
        CREATE VIEW seen_through AS SELECT count(*) AS n FROM seen;
        CREATE TABLE parted (id int) PARTITION BY RANGE (id);
        CREATE TABLE parted_here PARTITION OF parted FOR VALUES FROM (100) TO (200);
        CREATE FOREIGN TABLE parted_far PARTITION OF parted FOR VALUES FROM (0) TO (100)
            SERVER far OPTIONS (table_name 'near');
        CREATE TABLE parent (id int);
        CREATE FOREIGN TABLE child () INHERITS (parent) SERVER far OPTIONS (table_name 'near');
        CREATE VIEW here AS SELECT id FROM near;
    """)
    return source_db


@pytest.mark.parametrize(
    ("relation", "elsewhere"),
    [
        ("far", True),
        ("seen", True),
        ("seen_through", True),
        ("parted", True),
        ("parent", True),
        ("(SELECT id FROM near WHERE id IN (SELECT id FROM far)) AS q", True),
        ("(WITH f AS MATERIALIZED (SELECT id FROM far) SELECT n.id FROM near n, f) AS q", True),
        ("(SELECT (SELECT max(id) FROM far) AS id) AS q", True),
        ("near", False),
        ("here", False),
        ("parted_here", False),
        ("ONLY parent", False),
        ("(SELECT id FROM near) AS q", False),
    ],
)
def test_whatever_holds_a_foreign_table_is_elsewhere(
    remote: psycopg.Connection, session: SourceSession, relation: str, elsewhere: bool
) -> None:
    session.open_snapshot()
    assert POSTGRESQL.reads_beyond_snapshot(session.query, relation) is elsewhere


def test_no_snapshot_reaches_a_foreign_table(remote: psycopg.Connection, session: SourceSession) -> None:
    """If one did some day, such tables could be read in parts."""
    snapshot = session.open_snapshot()
    assert session.query("SELECT count(*) FROM far") == [(10,)]
    remote.execute("INSERT INTO near VALUES (11)")
    with psycopg.connect(remote.info.dsn, password=remote.info.password) as reader:
        reader.execute(POSTGRESQL.session_init(snapshot.id))
        assert reader.execute("SELECT count(*) FROM near").fetchone() == (10,)
        assert reader.execute("SELECT count(*) FROM far").fetchone() == (11,)
    assert session.query("SELECT count(*) FROM far") == [(10,)]


@pytest.mark.parametrize(
    ("query", "kind", "parts", "notes"),
    [
        (
            "SELECT id FROM far",
            "none",
            1,
            ("Connections share no snapshot of foreign tables: one of them read everything.",),
        ),
        ("SELECT id FROM near", "exported", 4, ()),
    ],
)
def test_foreign_tables_are_read_by_one_connection(
    remote: psycopg.Connection,
    session: SourceSession,
    query: str,
    kind: str,
    parts: int,
    notes: tuple[str, ...],
) -> None:
    found = look(session, query=query)
    assert max(1, len(read_everything(found).partitions)) == parts
    receipt = found.journal.receipt
    assert (receipt.snapshot, receipt.partitions, receipt.notes) == (kind, parts, notes)


BOTH = "SELECT id, 'here' AS place FROM near UNION ALL SELECT id, 'far' FROM far"


def test_what_the_snapshot_reaches_is_read_in_it(remote: psycopg.Connection, session: SourceSession) -> None:
    found = look(session, query=BOTH)
    plan = read_everything(found)
    remote.execute("INSERT INTO near VALUES (11)")
    counted = f"SELECT place, count(*) FROM {plan.relation} GROUP BY 1"
    assert dict(session.query_beside(plan.session_init, counted)) == {"here": 10, "far": 11}


def test_no_server_is_read_that_does_not_have_the_snapshot(
    remote: psycopg.Connection, session: SourceSession
) -> None:
    """As another one behind the same address, which may lag."""
    found = look(session, query=BOTH)
    plan = read_everything(found)
    session.close()

    def is_refused() -> bool:
        try:
            session.query_beside(plan.session_init, plan.select_sql())
        except SourceUnavailable:
            return True
        return False

    eventually("the end of the snapshot", is_refused)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM live.items",
        'SELECT items.id FROM live.items JOIN live."It""s far" AS f USING (id)',
        "SELECT count(*) AS id FROM live.items",
        "SELECT id FROM live.items UNION ALL SELECT id FROM near",
    ],
)
def test_a_name_that_means_another_foreign_table_by_now_is_read_again(
    remote: psycopg.Connection, session: SourceSession, query: str
) -> None:
    for schema in ("live", "upcoming"):
        remote.execute(f"CREATE SCHEMA {schema}")
        for table in ("items", '"It""s far"'):
            there = "OPTIONS (schema_name 'public', table_name 'near')"
            remote.execute(f"CREATE FOREIGN TABLE {schema}.{table} (id int) SERVER far {there}")
    found = look(session, query=query)
    plan = read_everything(found)
    compare_with_source(found, 10, plan)
    remote.execute("ALTER SCHEMA live RENAME TO old; ALTER SCHEMA upcoming RENAME TO live")
    with pytest.raises(SourceUnavailable, match=r"live\.items .*is the name of another table by now"):
        compare_with_source(found, 10, plan)


#: Relations of which ``near`` is a part at another server alone, and that have its ten rows.
REMOTE = [
    "SELECT id FROM far",
    "SELECT id FROM parted",
    "SELECT id FROM parent",
    "SELECT id FROM parted_here UNION ALL SELECT id FROM far",
    "SELECT far.id FROM far JOIN child USING (id)",
    "SELECT id FROM child WHERE id > (SELECT min(id) - 1 FROM far)",
]


def waits_for_a_lock(source_db: psycopg.Connection) -> bool:
    return source_db.execute("SELECT FROM pg_locks WHERE NOT granted").fetchone() is not None


@pytest.mark.parametrize("query", REMOTE)
def test_a_table_is_held_where_it_is(remote: psycopg.Connection, session: SourceSession, query: str) -> None:
    plan = read_everything(look(session, query=query))
    with connect_beside(remote) as owner:
        owner.execute("SET LOCAL lock_timeout = '500ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            owner.execute("TRUNCATE near")
    count = f"SELECT count(*) FROM {plan.relation}"
    assert session.query_beside(plan.session_init, count) == [(10,)]


@pytest.mark.parametrize("query", REMOTE)
def test_rows_of_a_table_that_is_rebuilt_where_it_is_are_seen(
    remote: psycopg.Connection, session: SourceSession, query: str
) -> None:
    read: list[int] = []

    def reads() -> None:
        plan = read_everything(look(session, query=query))
        count = f"SELECT count(*) FROM {plan.relation}"
        ((rows,),) = session.query_beside(plan.session_init, count)
        read.append(rows)

    reading = threading.Thread(target=reads)
    with connect_beside(remote) as owner:
        owner.execute("TRUNCATE near; INSERT INTO near SELECT generate_series(1, 20)")
        reading.start()
        eventually("the read's wait", lambda: waits_for_a_lock(remote))
        owner.commit()
    reading.join(90)
    assert read == [20]


def test_nobody_waits_for_long_behind_a_change_elsewhere(
    remote: psycopg.Connection, session: SourceSession
) -> None:
    """The change waits for the load, and the load's read would wait for the change."""
    plan = read_everything(look(session, query="SELECT id FROM far"))
    # Whoever waits for longer than a minute is told so by another error.
    longest = plan.session_init + "; SET LOCAL lock_timeout = '1min'; SET LOCAL statement_timeout = '1min'"
    soon = longest.replace(f"= {REMOTE_TIMEOUT}", "= 1000")
    with queued_change(remote, "near"):
        with pytest.raises(SourceUnavailable):
            session.query_beside(soon, plan.select_sql())
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        eventually("that only the change waits", lambda: remote.execute(waiting).fetchone() == (1,))
        assert len(session.query(plan.select_sql())) == 10, "what the session reads by itself is read on"


@pytest.mark.parametrize("right", [None, "SELECT"])
def test_what_the_login_cannot_ask_for_by_itself_is_no_hindrance(
    remote: psycopg.Connection, login: Endpoint, right: str | None
) -> None:
    """It is read by the login of a view's owner."""
    info = remote.info
    remote.execute("DROP USER MAPPING FOR public SERVER far")
    mapping = sql.SQL("CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user {}, password {})")
    remote.execute(mapping.format(sql.Literal(info.user), sql.Literal(info.password)))
    remote.execute(f"GRANT SELECT ON seen TO {login.user}")
    if right is not None:
        remote.execute(f"GRANT {right} ON far TO {login.user}")
    with closing(PostgresqlSession(login)) as session:
        assert session.hold("seen").remote == ()
        session.open_snapshot()
        assert session.query("SELECT count(*) FROM seen") == [(20,)]


def test_a_server_that_is_away_is_no_hindrance_where_it_is_not_read(
    remote: psycopg.Connection, session: SourceSession
) -> None:
    remote.execute(f"""
        CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{free_port()}');
        CREATE USER MAPPING FOR public SERVER away OPTIONS (user 'x', password 'x');
        CREATE FOREIGN TABLE parted_away PARTITION OF parted FOR VALUES FROM (200) TO (300) SERVER away;
    """)
    # What the time decides is known as soon as the query begins.
    now = "extract(epoch FROM now() - now())::int"
    found = look(session, query=f"SELECT id FROM parted WHERE id < 200 + {now}")
    assert found.snapshot.made.remote == ("public.parted_far",)
    plan = read_everything(found)
    assert len(session.query_beside(plan.session_init, plan.select_sql())) == 10


def test_where_no_foreign_table_is_no_plan_is_asked_for(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    assert not POSTGRESQL.reads_beyond_snapshot(session.query, "what is not there")
