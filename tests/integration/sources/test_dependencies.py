"""What a relation is made of, and what that means to reads in several parts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_dataloader.exceptions import SourceUnavailable
from airflow_dataloader.loader.completeness import compare_with_source
from airflow_dataloader.loader.reading import read_everything
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from tests.integration.sources.reads import POSTGRESQL, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession

BY_CHANCE = (
    "Rows are numbered, sampled, or the first of others, in which connections differ: one of them read "
    "everything."
)

PARTED = """
    CREATE TABLE parted (id int) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
    INSERT INTO parted SELECT generate_series(1, 99);
    CREATE TABLE later AS SELECT generate_series(100, 199) AS id;
"""


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("SELECT row_number() OVER () AS id FROM t", 1),
        ("SELECT n AS id FROM (SELECT n FROM t LIMIT 50) AS s", 1),
        ("SELECT DISTINCT ON (n % 10) n AS id FROM t", 1),
        ("SELECT n AS id FROM t TABLESAMPLE BERNOULLI (50)", 1),
        ("SELECT id FROM numbered", 1),
        ("SELECT n AS id FROM t", 4),
        ("SELECT n % 50 AS id, count(*) FROM t GROUP BY 1", 4),
    ],
)
def test_what_connections_differ_in_is_read_by_one(
    source_db: psycopg.Connection, session: SourceSession, query: str, parts: int
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT generate_series(1, 100) AS n")
    source_db.execute("CREATE VIEW numbered AS SELECT row_number() OVER (ORDER BY n / 10) AS id FROM t")
    found = look(session, query=query)
    assert max(1, len(read_everything(found).partitions)) == parts
    receipt = found.journal.receipt
    assert (receipt.snapshot, receipt.partitions) == ("exported", parts)
    assert receipt.notes == ((BY_CHANCE,) if parts == 1 else ())


SWAP = "ALTER SCHEMA live RENAME TO old; ALTER SCHEMA upcoming RENAME TO live"


@pytest.mark.parametrize("filled", ["before", "after"], ids=["filled before the look", "after it"])
def test_a_name_that_means_another_table_by_now_is_read_again(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], filled: str
) -> None:
    """The look's own connection locks the table, and nothing locks its schema."""
    fill = "INSERT INTO upcoming.items SELECT generate_series(1, 20)"
    source_db.execute("CREATE SCHEMA live; CREATE SCHEMA upcoming")
    source_db.execute("CREATE TABLE live.items AS SELECT generate_series(1, 10) AS id")
    source_db.execute("CREATE TABLE upcoming.items (id int)")
    if filled == "before":
        source_db.execute(fill)
    found = look(open_source(), source_table_schema="live", source_table_name="items")
    plan = replace(read_everything(found), partitions=())
    compare_with_source(found, 10, plan)
    if filled == "after":
        source_db.execute(fill)
    source_db.execute(SWAP)
    with pytest.raises(SourceUnavailable, match=r"live\.items .*is the name of another table by now"):
        compare_with_source(found, 10, plan)


@pytest.mark.parametrize("query", [None, "SELECT id FROM items"])
def test_a_table_of_the_same_name_in_an_earlier_schema_is_read_again(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession], query: str | None
) -> None:
    """No lock on a table keeps others from putting one before it."""
    source_db.execute("CREATE SCHEMA app")
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET search_path = app, public")
    source_db.execute("CREATE TABLE public.items AS SELECT generate_series(1, 10) AS id")
    found = look(open_source(), source_table_schema=None, source_table_name="items", query=query)
    plan = read_everything(found)
    compare_with_source(found, 10, plan)
    source_db.execute("CREATE TABLE app.items (id int)")
    with pytest.raises(SourceUnavailable, match=r"public\.items .*is the name of another table by now"):
        compare_with_source(found, 10, plan)


def test_a_partition_that_one_connection_does_not_see_is_no_matter(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute(PARTED)
    found = look(session, source_table_name="parted")
    plan = replace(read_everything(found), partitions=())
    source_db.execute("ALTER TABLE parted ATTACH PARTITION later FOR VALUES FROM (100) TO (200)")
    compare_with_source(found, 99, plan)


def test_tables_that_the_login_may_not_look_up_are_no_hindrance(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    """They are read through a view whose owner may."""
    source_db.execute("CREATE SCHEMA hidden; CREATE TABLE hidden.t AS SELECT 1 AS id; CREATE SCHEMA shown")
    source_db.execute("CREATE VIEW shown.v AS SELECT * FROM hidden.t")
    source_db.execute(f"GRANT USAGE ON SCHEMA shown TO {login.user}; GRANT SELECT ON shown.v TO {login.user}")
    with closing(PostgresqlSession(login)) as session:
        made = session.hold("shown.v")
        session.open_snapshot()
        assert {table[:2] for table in made.tables} == {("hidden", "t")}
        assert POSTGRESQL.dependencies(session.query, "shown.v") == made


def test_names_are_looked_up_where_the_session_looks_them_up(
    source_db: psycopg.Connection, login: Endpoint
) -> None:
    for schema, rows in (("blue", 1), ("green", 2)):
        source_db.execute(f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO {login.user}")
        source_db.execute(f"CREATE TABLE {schema}.t AS SELECT generate_series(1, {rows})")
        source_db.execute(f"GRANT SELECT ON {schema}.t TO {login.user}")
    source_db.execute(f'ALTER ROLE {login.user} SET search_path = blue, "$user", public')
    with closing(PostgresqlSession(login)) as session:
        snapshot = session.open_snapshot()
        source_db.execute(f"ALTER ROLE {login.user} SET search_path = green")
        init = POSTGRESQL.session_init(snapshot.id, own=snapshot.settings)
        assert session.query_beside(init, "SELECT count(*) FROM t") == [(1,)]
        assert session.query_beside(init, "SHOW search_path") == [('blue, "$user", public',)]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE parted ATTACH PARTITION later FOR VALUES FROM (100) TO (200)", "public.later"),
        ("ALTER TABLE later INHERIT child", "public.later"),
    ],
)
def test_a_table_that_gets_a_part_while_it_is_read_is_read_again(
    source_db: psycopg.Connection, session: SourceSession, change: str, named: str
) -> None:
    source_db.execute(PARTED)
    source_db.execute("CREATE TABLE child (id int)")
    found = look(session, query="SELECT id FROM parted UNION ALL SELECT id FROM child")
    plan = read_everything(found)
    assert len(plan.partitions) == 4
    compare_with_source(found, 99, plan)
    source_db.execute(change)
    with pytest.raises(SourceUnavailable, match=f"^{named} became part of what"):
        compare_with_source(found, 99, plan)
