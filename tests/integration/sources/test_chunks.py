"""Where a history is cut, on a real server: every row is in one chunk, and no chunk is empty."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_dataloader.sources.postgresql.chunks import chunk_predicate, chunk_rows, cuts
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from airflow_dataloader.sources.dialect import Ask, CursorPlan

#: SQL type, an expression of ``i`` from 0 to 99, and the rows of each chunk at 10 rows a chunk.
HISTORIES = {
    "timestamptz": ("timestamptz '2020-01-01' + i * interval '3 days'", [10] * 10),
    "timestamp": ("timestamp '2020-01-01' + i / 50 * interval '9 years'", [50, 50]),
    "date": ("date '2020-01-01' + i", [30, 30, 30, 10]),
    "int2": ("i - 50", [10] * 10),
    "int8": ("CASE i WHEN 99 THEN 9223372036854775807 ELSE i - 9223372036854775807 END", [99, 1]),
    "numeric": ("i * i / 8.0", [10] * 10),
    "text": ("'n' || lpad(i::text, 3, '0')", [10] * 10),
    "char(5)": ("lpad(i::text, 3, '0')", [10] * 10),
    "uuid": ("md5(i::text)::uuid", [10] * 10),
}


@pytest.mark.parametrize("sql_type", ["int", "numeric", "text"])
def test_many_chunks_are_counted_as_one_by_one(
    source_db: psycopg.Connection, session: SourceSession, sql_type: str
) -> None:
    value = "lpad(i::text, 4, '0')" if sql_type == "text" else "i"
    source_db.execute(f"CREATE TABLE t AS SELECT ({value})::{sql_type} AS at FROM generate_series(1, 1000) i")
    session.open_snapshot()
    cursor = cursor_of(session)
    high = "1000"
    found = cuts(session.query, "t", cursor, high, size=2, most=1000)
    assert len(found.points) == 499
    assert chunk_rows(session.query, "t", cursor, (*found.points, None), high) == (2,) * 500


def cursor_of(session: SourceSession, **overrides: Any) -> CursorPlan:
    described, row = session.describe("t"), config(**overrides)
    columns = POSTGRESQL.plan_columns(described, row.value_policy, ("at",)).columns
    return POSTGRESQL.cursor(described, columns, row)


def sizes(ask: Ask, cursor: CursorPlan, high: str, size: timedelta | int = 10) -> list[int]:
    found = cuts(ask, "t", cursor, high, size=size, most=100)
    ends = zip((None, *found.points), (*found.points, None), strict=True)
    where = [chunk_predicate(cursor, low, below, high) for low, below in ends]
    counted = [int(ask(POSTGRESQL.count_sql("t", one))[0][0]) for one in where]
    # At once, too, and of the first of them.
    assert list(chunk_rows(ask, "t", cursor, (*found.points, None), high)) == counted
    assert not found.points or list(chunk_rows(ask, "t", cursor, found.points, high)) == counted[:-1]
    return counted


@pytest.mark.parametrize("kind", list(HISTORIES))
def test_every_row_is_in_one_chunk(source_db: psycopg.Connection, session: SourceSession, kind: str) -> None:
    expression, expected = HISTORIES[kind]
    source_db.execute(f"CREATE TABLE t (at {kind})")
    source_db.execute(f"INSERT INTO t SELECT {expression} FROM generate_series(0, 99) AS i")
    source_db.execute("INSERT INTO t VALUES (NULL)")
    session.open_snapshot()
    cursor = cursor_of(session)
    high = POSTGRESQL.freeze(session.query, "t", cursor, None).high
    assert high is not None
    size = timedelta(days=30) if kind in {"timestamptz", "timestamp", "date"} else 10
    assert sizes(session.query, cursor, high, size) == expected


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("timestamptz", timedelta(hours=12), [4] * 5),
        ("timestamptz", timedelta(hours=3), [1] * 20),
        ("timestamp", timedelta(days=1), [8, 8, 4]),
        ("timestamp", timedelta(weeks=9), [20]),
        ("timestamp", timedelta.max, [20]),
        ("date", timedelta(days=2), [15, 5]),
        ("date", timedelta.max, [20]),
    ],
)
def test_times_are_cut_into_spans_of_any_length(
    source_db: psycopg.Connection, session: SourceSession, kind: str, size: timedelta, expected: list[int]
) -> None:
    source_db.execute(f"CREATE TABLE t (at {kind})")
    source_db.execute(
        "INSERT INTO t SELECT timestamptz '2020-01-01 03:00+00' + i * interval '3 hours' "
        "FROM generate_series(0, 19) AS i"
    )
    session.open_snapshot()
    cursor = cursor_of(session)
    high = POSTGRESQL.freeze(session.query, "t", cursor, None).high
    assert high is not None
    assert sizes(session.query, cursor, high, size) == expected


def test_no_more_cuts_are_fetched_than_show_that_there_are_too_many(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (at int4)")
    source_db.execute("INSERT INTO t SELECT i FROM generate_series(1, 50) AS i")
    session.open_snapshot()
    found = cuts(session.query, "t", cursor_of(session), "50", size=1, most=7)
    assert len(found.points) == 7


def test_one_value_is_one_chunk(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("CREATE TABLE t (at int4)")
    source_db.execute("INSERT INTO t SELECT 7 FROM generate_series(1, 50)")
    session.open_snapshot()
    assert sizes(session.query, cursor_of(session), "7") == [50]


def test_without_a_value_there_is_nothing_to_cut(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (at date)")
    session.open_snapshot()
    found = cuts(session.query, "t", cursor_of(session), "2026-01-01", size=timedelta(days=1), most=100)
    assert (found.low, found.points) == (None, ())


def test_what_cannot_be_kept_counts_where_it_is_read(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (at date)")
    source_db.execute(
        "INSERT INTO t VALUES ('2026-01-01'), ('2026-01-02'), ('infinity'), ('-infinity'), (NULL)"
    )
    session.open_snapshot()
    ends = ("2026-01-02", None)
    assert chunk_rows(session.query, "t", cursor_of(session), ends, "2026-01-02") == (3, 1)
    passed = cursor_of(session, value_policy="null")
    assert chunk_rows(session.query, "t", passed, ends, "2026-01-02") == (1, 1)
