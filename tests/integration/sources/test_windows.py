"""Windows of every cursor type on a real server: what they read, where they end, what comes next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.exceptions import ConfigurationError, SourceRefused, ValueRefused
from tests.integration.sources.reads import POSTGRESQL, plan, read
from tests.integration.sources.windows import cursor_of, fill, window

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

#: SQL type, values in ascending order as the source writes them, lookback, and the first value that it
#: reaches back to from the last but one.
ORDERED: list[tuple[str, list[str], str, int]] = [
    (
        "timestamptz",
        [
            "1582-10-10 00:00:00+00",
            "2026-01-01 00:00:00+00",
            "2026-01-01 00:00:00.000001+00",
            "2026-01-01 00:15:00+00",
            "9999-12-31 23:59:59.999999+00",
        ],
        "15 minutes",
        1,
    ),
    ("timestamp", ["0001-01-01 00:00:00", "2026-03-29 02:30:00", "2026-03-29 02:44:59.999999"], "1 hour", 1),
    ("date", ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"], "2 days", 0),
    ("date", ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"], "36 hours", 1),
    ("int2", ["-32768", "0", "5", "32767"], "32767", 1),
    ("int4", ["-5", "0", "10", "2147483647"], "10", 1),
    ("int8", ["-9223372036854775807", "-1", "9223372036854775807"], "0", 1),
    ("numeric", ["-1.5", "0.000000000000000001", "0.3", "99999999999999999999"], "1", 1),
    ("numeric(10,2)", ["-1.50", "0.00", "0.30", "12345678.90"], "0", 2),
    ("text", ["", "B", "a", "ab", "Ä", "€"], "0", 4),
    ("varchar(10)", ["10", "9", "a'b", "a\\b"], "0", 2),
    ("char(4)", ["a", "b", "ba"], "0", 1),
    ("uuid", ["00000000-0000-0000-0000-000000000001", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "0", 0),
]


@pytest.mark.parametrize(("sql_type", "values", "lookback", "first"), ORDERED)
def test_a_window_reads_from_the_overlap_to_the_frozen_end(
    source_db: psycopg.Connection,
    session: SourceSession,
    sql_type: str,
    values: list[str],
    lookback: str,
    first: int,
) -> None:
    fill(source_db, sql_type, [*values, None])
    session.open_snapshot()
    cursor = cursor_of(session, lookback=lookback)
    everything = POSTGRESQL.freeze(session.query, "t", cursor, None)
    assert everything.high == values[-1]
    assert everything.ahead == values[-1].startswith("9999-")
    ids = list(range(len(values)))
    assert window(session, cursor, None, everything) == [*ids, len(values)]
    assert window(session, cursor, None, everything, NullCursorPolicy.EXCLUDE) == ids
    again = POSTGRESQL.freeze(session.query, "t", cursor, values[-1])
    assert (again.high, again.watermark) == (values[-1], values[-1])
    without_overlap = replace(cursor, lookback=None)
    assert window(session, without_overlap, values[-1], again, NullCursorPolicy.EXCLUDE) == [ids[-1]]
    # From one value before the last: the overlap reaches back as far as the source's own arithmetic says.
    low = values[-2]
    reached = window(session, cursor, low, again, NullCursorPolicy.EXCLUDE)
    assert reached == list(range(first, len(values)))


@pytest.mark.parametrize(("sql_type", "values", "lookback", "first"), ORDERED)
def test_a_watermark_never_goes_back(
    source_db: psycopg.Connection,
    session: SourceSession,
    sql_type: str,
    values: list[str],
    lookback: str,
    first: int,
) -> None:
    fill(source_db, sql_type, [values[0]])
    session.open_snapshot()
    frozen = POSTGRESQL.freeze(session.query, "t", cursor_of(session), values[-1])
    assert (frozen.high, frozen.watermark) == (values[0], values[-1])


def test_an_empty_source_leaves_the_watermark(source_db: psycopg.Connection, session: SourceSession) -> None:
    fill(source_db, "date", [])
    session.open_snapshot()
    cursor = cursor_of(session)
    first = POSTGRESQL.freeze(session.query, "t", cursor, None)
    assert (first.high, first.watermark) == (None, None)
    later = POSTGRESQL.freeze(session.query, "t", cursor, "2026-01-01")
    assert (later.high, later.watermark) == (None, "2026-01-01")
    assert window(session, cursor, "2026-01-01", later) == []


def test_rows_that_come_after_the_freeze_are_not_in_the_window(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    fill(source_db, "int4", ["1", "2"])
    session.open_snapshot()
    cursor = cursor_of(session)
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, None)
    source_db.execute("INSERT INTO t VALUES (7, 1), (8, 3)")
    assert window(session, cursor, None, frozen) == [0, 1]
    assert session.query(POSTGRESQL.count_sql("t", None)) == [(2,)]
    assert session.query(POSTGRESQL.probe_sql("t", "at > 2")) == [(False,)]


@pytest.mark.parametrize(
    ("sql_type", "low"),
    [
        ("timestamptz", "soon"),
        ("timestamptz", ""),
        ("timestamptz", "infinity"),
        ("timestamptz", "0044-03-15 BC"),
        ("timestamp", "2026-02-30"),
        ("date", "infinity"),
        ("int4", "1.5"),
        ("int8", "99999999999999999999"),
        ("numeric", "NaN"),
        ("uuid", "1"),
    ],
)
def test_a_watermark_that_is_no_value_of_the_cursor_is_refused(
    source_db: psycopg.Connection, session: SourceSession, sql_type: str, low: str
) -> None:
    fill(source_db, sql_type, [])
    cursor = cursor_of(session)
    with pytest.raises(ConfigurationError, match=f"incremental_value {low!r} is not") as refusal:
        POSTGRESQL.freeze(session.query, "t", cursor, low)
    assert refusal.value.field == "incremental_value"


@pytest.mark.parametrize(
    ("made", "relation", "field", "sqlstate", "said"),
    [
        (
            "SELECT 1",
            "(SELECT id, at, 1 / id AS x FROM t WHERE 1 / id > 0) AS q",
            "query",
            "22012",
            "by zero",
        ),
        ("SELECT 1", "(SELECT id, CAST(no AS int4) AS at FROM t) AS q", "query", "22P02", "sixteen"),
        (
            "CREATE VIEW v AS SELECT id, CAST(no AS int4) AS at FROM t",
            "v",
            "source_table_name",
            "22P02",
            "six",
        ),
    ],
)
def test_what_a_query_or_view_cannot_compute_is_not_the_watermark_s_fault(
    source_db: psycopg.Connection,
    session: SourceSession,
    made: str,
    relation: str,
    field: str,
    sqlstate: str,
    said: str,
) -> None:
    source_db.execute("CREATE TABLE t AS SELECT 0 AS id, 7 AS at, text 'sixteen' AS no")
    source_db.execute(made)
    session.open_snapshot()
    cursor = cursor_of(session, relation)
    with pytest.raises(SourceRefused, match=said) as refusal:
        POSTGRESQL.freeze(session.query, relation, cursor, "3")
    assert (refusal.value.field, refusal.value.sqlstate) == (field, sqlstate)


@pytest.mark.parametrize(
    ("sql_type", "good", "bad"),
    [
        ("timestamptz", "2026-01-01 00:00:00+00", ["infinity", "-infinity", "0044-03-15 BC"]),
        ("date", "2026-01-01", ["infinity", "-infinity", "12000-01-01"]),
        ("numeric", "12.5", ["NaN", "Infinity", "1e30"]),
        ("numeric(10,2)", "12.50", ["NaN"]),
    ],
)
def test_a_cursor_that_cannot_be_kept_is_no_watermark_and_is_never_passed_over(
    source_db: psycopg.Connection, session: SourceSession, sql_type: str, good: str, bad: list[str]
) -> None:
    fill(source_db, sql_type, [good, *bad, None])
    session.open_snapshot()
    failing = cursor_of(session)
    frozen = POSTGRESQL.freeze(session.query, "t", failing, None)
    assert (frozen.high, frozen.watermark) == (good, good)
    unkept = list(range(1, len(bad) + 1))
    # Read by every load that refuses them, whatever its policy for missing cursors.
    assert window(session, failing, good, frozen, NullCursorPolicy.EXCLUDE) == [0, *unkept]
    nulling = cursor_of(session, value_policy="null")
    assert window(session, nulling, good, frozen, NullCursorPolicy.EXCLUDE) == [0]
    assert window(session, nulling, None, frozen, NullCursorPolicy.EXCLUDE) == [0]
    assert window(session, nulling, None, frozen) == [0, *unkept, len(bad) + 1]
    assert window(session, nulling, good, frozen) == [0, *unkept, len(bad) + 1]
    without_null = "(SELECT * FROM t WHERE id <= 1) AS q"
    assert session.query(POSTGRESQL.null_cursor_sql(without_null, nulling)) == [(True,)]
    assert session.query(POSTGRESQL.null_cursor_sql(without_null, failing)) == [(False,)]


def test_a_cursor_out_of_range_makes_the_read_of_its_window_fail(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    fill(source_db, "date", ["2026-01-01", "infinity"])
    planned = plan(session, "t")
    where = POSTGRESQL.window_predicate(
        cursor_of(session), "2026-01-01", "2026-01-01", null_policy=NullCursorPolicy.INCLUDE
    )
    with pytest.raises(ValueRefused, match="'at' holds infinity"):
        session.query(f"{planned.select_sql()} WHERE {where}")


def test_missing_cursors_are_seen(source_db: psycopg.Connection, session: SourceSession) -> None:
    fill(source_db, "int4", ["1"])
    sql = POSTGRESQL.null_cursor_sql("t", cursor_of(session))
    assert session.query(sql) == [(False,)]
    source_db.execute("INSERT INTO t VALUES (9, NULL)")
    assert session.query(sql) == [(True,)]


def test_an_index_serves_window_and_freeze(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("""
        CREATE TABLE t AS SELECT n AS id, timestamptz '2026-01-01' + n * interval '1 minute' AS at
        FROM generate_series(1, 50000) AS n;
        CREATE INDEX ON t (at);
        ANALYZE t;
    """)
    session.open_snapshot()
    cursor = cursor_of(session)
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, None)
    where = POSTGRESQL.window_predicate(
        cursor,
        "2026-02-04 00:00:00+00",
        frozen.high,
        null_policy=NullCursorPolicy.INCLUDE,
    )
    explained = session.query(f"EXPLAIN SELECT * FROM t WHERE {where}")
    assert not any("Seq Scan" in line for (line,) in explained)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.one_of(st.none(), st.integers(0, 50)), max_size=20),
    low=st.none() | st.integers(-10, 60),
    lookback=st.integers(0, 20),
    policy=st.sampled_from([NullCursorPolicy.INCLUDE, NullCursorPolicy.EXCLUDE]),
)
def test_a_window_is_what_its_definition_says(
    source_db: psycopg.Connection,
    session: SourceSession,
    rows: list[int | None],
    low: int | None,
    lookback: int,
    policy: NullCursorPolicy,
) -> None:
    source_db.execute("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, at int)")
    source_db.execute("TRUNCATE t")
    for number, value in enumerate(rows):
        source_db.execute("INSERT INTO t VALUES (%s, %s)", (number, value))
    cursor = replace(cursor_of(session), lookback=lookback)
    text = None if low is None else str(low)
    frozen = POSTGRESQL.freeze(session.query, "t", cursor, text)
    present = [value for value in rows if value is not None]
    assert frozen.high == (str(max(present)) if present else None)
    everything = [*present] if low is None else [*present, low]
    assert frozen.watermark == (str(max(everything)) if everything else None)
    expected = [
        number
        for number, value in enumerate(rows)
        if (value is None and policy is NullCursorPolicy.INCLUDE)
        or (value is not None and (low is None or value >= low - lookback))
    ]
    assert window(session, cursor, text, frozen, policy) == expected


def test_a_window_of_a_query_is_a_window_of_its_result(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    fill(source_db, "int4", ["1", "2", "3"])
    nothing = SourceTable(catalog=None, schema=None, name=None)
    relation = POSTGRESQL.relation(
        nothing, "SELECT id, at * 10 AS at FROM t WHERE id > 0 -- not the first\n;"
    )
    session.open_snapshot()
    planned = plan(session, relation)
    assert read(session, planned, "id") == [(1, 20), (2, 30)]
