"""How wide rows are, asked of a real server: values out of line, compressed, and in views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_dataloader.core.fetch_size import MOST_ROWS, UNMEASURED, RowWidth, fetch_size
from airflow_dataloader.loader.reading import open_snapshot, plan_columns, read_everything, read_where
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config
from tests.unit.loader.active_loads import active_load

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.active_load import ActiveLoad
    from airflow_dataloader.loader.sessions.protocol import SourceSession

#: Compressed these take a hundredth: what PostgreSQL keeps is no measure of what travels.
WIDE = "CREATE TABLE t AS SELECT n AS id, repeat('wide ', 20000) AS note FROM generate_series(1, 2000) AS n"


def measured(
    session: SourceSession, relation: str = '"public"."t"', where: str | None = None, **overrides: Any
) -> RowWidth | None:
    return POSTGRESQL.row_width(
        session.query,
        relation=relation,
        described=session.describe(relation),
        config=config(**overrides),
        where=where,
    )


def planned(session: SourceSession, **overrides: Any) -> ActiveLoad:
    """Return a job that has its columns and not yet its read."""
    load = active_load(session=session, engine=Cores(), source_table_name="t", **overrides)
    open_snapshot(load)
    plan_columns(load)
    return load


class Cores:
    """An engine that reads two partitions at once."""

    parallelism = 2


@pytest.mark.parametrize(
    ("expression", "bytes_of_it"),
    [
        ("repeat('wide ', 20000)", 100_000),
        ("repeat('ä', 50000)", 100_000),
        ("CAST(repeat('x', 90000) AS varchar(90000))", 90_000),
        ("CAST('x' AS char(5000))", 5_000),
        ("CAST(repeat('x', 50000) AS bytea)", 100_000),
        ("to_jsonb(repeat('x', 90000))", 90_002),
        ("ARRAY[repeat('x', 45000), repeat('y', 45000)]", 90_003),
        ("CAST(NULL AS text)", 0),
    ],
)
def test_a_value_is_as_wide_as_it_travels(
    source_db: psycopg.Connection, session: SourceSession, expression: str, bytes_of_it: int
) -> None:
    source_db.execute(f"CREATE TABLE t AS SELECT n AS id, {expression} AS x FROM generate_series(1, 30) AS n")
    source_db.execute("ANALYZE t")
    assert measured(session) == RowWidth(average=64 + bytes_of_it, widest=64 + bytes_of_it)


def test_average_and_widest_are_of_rows_from_everywhere(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """The first two thirds are narrow, as where a column came to be used later."""
    source_db.execute("""
        CREATE TABLE t AS SELECT n AS id, repeat('x', CASE WHEN n <= 20000 THEN 10 ELSE 1500 END) AS note
        FROM generate_series(1, 30000) AS n
    """)
    found = measured(session)
    assert found is not None
    assert found.average > 200
    assert found.widest == 1564


def test_partitions_are_all_looked_at(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("""
        CREATE TABLE t (id int, note text) PARTITION BY RANGE (id);
        CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (200);
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (200) TO (999);
        INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 200) AS n;
    """)
    found = measured(session)
    assert found is not None
    assert found.widest == 264


@pytest.mark.parametrize("partitioned", [False, True])
def test_what_another_access_method_stores_is_measured_as_a_view_is(
    source_db: psycopg.Connection, session: SourceSession, *, partitioned: bool
) -> None:
    """Such a one need not know pages, nor take samples of them."""
    source_db.execute("CREATE ACCESS METHOD odd TYPE TABLE HANDLER heap_tableam_handler")
    if partitioned:
        source_db.execute("CREATE TABLE t (id int, note text) PARTITION BY RANGE (id)")
        source_db.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (2000)")
        source_db.execute("CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (2000) TO (9999) USING odd")
    else:
        source_db.execute("CREATE TABLE t (id int, note text) USING odd")
    source_db.execute("INSERT INTO t SELECT n, repeat('x', n) FROM generate_series(1, 3000) AS n")
    seen: list[str] = []

    def ask(statement: str) -> list[tuple[Any, ...]]:
        seen.append(statement)
        return session.query(statement)

    relation = '"public"."t"'
    found = POSTGRESQL.row_width(
        ask, relation=relation, described=session.describe(relation), config=config(), where=None
    )
    assert found is not None
    assert not any("TABLESAMPLE" in statement for statement in seen)


def test_a_view_is_measured_in_its_window(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("""
        CREATE TABLE base AS SELECT n AS id, repeat('x', n) AS note FROM generate_series(1, 1000) AS n;
        CREATE VIEW t AS SELECT * FROM base;
    """)
    found = measured(session, where="id = 700")
    assert found == RowWidth(average=764, widest=764)
    assert measured(session, "(SELECT * FROM t\n) AS q", where="id > 1000", query="SELECT * FROM t") is None


def test_what_would_have_to_be_computed_for_it_is_not_measured(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE base AS SELECT n AS id FROM generate_series(1, 100000) AS n")
    source_db.execute("ANALYZE base")
    # Its first row fails: whoever runs it learns of that.
    note = "string_agg(CAST(1 / (a.id - a.id) AS text), '')"
    query = f"SELECT a.id % 7 AS id, {note} AS note FROM base AS a, base AS b GROUP BY 1"
    assert measured(session, f"({query}\n) AS q", query=query) is None


def test_a_read_of_wide_rows_asks_for_few_at_once(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute(WIDE)
    load = planned(session, load_strategy="full")
    assert read_everything(load).fetch_size == 670
    assert read_where(load, None).fetch_size == 670
    # Their keys alone are narrow.
    assert read_where(load, None, load.columns[:1]).fetch_size == MOST_ROWS


def test_a_window_of_few_rows_is_not_measured(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute(WIDE)
    load = planned(session, load_strategy="full")
    assert read_where(load, "id <= 20").fetch_size == UNMEASURED == fetch_size(None)
