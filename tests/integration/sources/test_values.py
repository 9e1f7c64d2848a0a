"""Every type trap of PostgreSQL arrives exactly, as its exact text, or is refused with its column."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from itertools import count
from math import copysign, isnan
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import connect

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ValueRefused
from airflow_dataloader.loader.sessions.registry import open_session
from tests.integration.sources.reads import POSTGRESQL, decoded, plan, read
from tests.integration.sources.values import KEPT, NOT_KEPT
from tests.source_configs import endpoint_of

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from tests.conftest import Server

NUMBERS = count(1)


@pytest.fixture(scope="module")
def values_db(postgres: Server) -> Iterator[psycopg.Connection]:
    """One database for all tables of single values: a database each would cost ten times the tests."""
    name = "source_values"
    postgres.create(name)
    with connect(postgres.url(name), autocommit=True) as connection:
        yield connection
    postgres.drop(name)


@pytest.fixture
def relation(values_db: psycopg.Connection, request: pytest.FixtureRequest) -> str:
    """A table of its own with one row of the parametrised literal, and one of NULL."""
    sql_type, text = request.param
    name = f"t{next(NUMBERS)}"
    values_db.execute(f'CREATE TABLE {name} (id int4, "the value" {sql_type})')
    values_db.execute(f"INSERT INTO {name} VALUES (1, %s::text::{sql_type}), (2, NULL)", (text,))
    return name


@pytest.fixture
def values(values_db: psycopg.Connection) -> Iterator[SourceSession]:
    """A session at the database of single values."""
    with closing(open_session(endpoint_of(values_db))) as session:
        yield session


def _params(cases: list[Any]) -> list[Any]:
    return [pytest.param(case[:2], *case[2:], id=f"{case[0]}-{case[1][:30]}") for case in cases]


@pytest.mark.parametrize(("relation", "target", "expected"), _params(KEPT), indirect=["relation"])
def test_a_value_arrives_exactly(values: SourceSession, relation: str, target: str, expected: Any) -> None:
    values.open_snapshot()
    planned = plan(values, relation)
    (_, arrived), (_, null) = read(values, planned, "id")
    column = planned.columns[1]
    assert (column.type, null) == (target, None)
    if column.type == "float":
        assert arrived == pytest.approx(expected, rel=1e-7)
    else:
        assert decoded(values, column, arrived) == expected


@pytest.mark.parametrize(("relation", "target", "expected"), _params(KEPT), indirect=["relation"])
def test_a_value_that_can_be_kept_is_never_replaced(
    values: SourceSession, relation: str, target: str, expected: Any
) -> None:
    values.open_snapshot()
    exact, nulled = plan(values, relation), plan(values, relation, ValuePolicy.NULL)
    rows = [row[:2] for row in read(values, nulled, "id")]
    assert rows == read(values, exact, "id")
    if nulled.replaced:
        assert values.query(f"SELECT {nulled.replaced} FROM {relation}") == [(0,), (0,)]


@pytest.mark.parametrize(("relation", "text"), _params(NOT_KEPT), indirect=["relation"])
def test_a_value_that_cannot_be_kept_is_refused_with_column_and_sample(
    values: SourceSession, relation: str, text: str
) -> None:
    planned = plan(values, relation)
    with pytest.raises(ValueRefused) as refusal:
        read(values, planned)
    assert refusal.value.field == "the value"
    assert text[:60] in refusal.value.message
    assert "value_policy" in (refusal.value.fix or "")
    found = POSTGRESQL.diagnose(values.query, values.describe(relation), relation, None)
    assert str(found) == str(refusal.value)
    assert POSTGRESQL.diagnose(values.query, values.describe(relation), relation, "id = 2") is None


@pytest.mark.parametrize(("relation", "text"), _params(NOT_KEPT), indirect=["relation"])
def test_as_string_a_value_that_cannot_be_kept_arrives_as_its_text(
    values: SourceSession, relation: str, text: str
) -> None:
    values.open_snapshot()
    planned = plan(values, relation, ValuePolicy.STRING)
    assert planned.columns[1].type == "string"
    assert read(values, planned, "id") == [(1, text), (2, None)]


@pytest.mark.parametrize(
    ("relation", "target", "expected"),
    _params([case for case in KEPT if case[2] == "string"]),
    indirect=["relation"],
)
def test_a_text_does_not_depend_on_the_policy(
    values: SourceSession, relation: str, target: str, expected: str
) -> None:
    values.open_snapshot()
    for policy in ValuePolicy:
        (_, arrived, *_), (_, null, *_) = read(values, plan(values, relation, policy), "id")
        assert (arrived, null) == (expected, None)


@pytest.mark.parametrize(("relation", "text"), _params(NOT_KEPT), indirect=["relation"])
def test_as_null_a_value_that_cannot_be_kept_is_replaced_and_counted(
    values: SourceSession, relation: str, text: str
) -> None:
    values.open_snapshot()
    planned = plan(values, relation, ValuePolicy.NULL)
    assert planned.columns[1].type != "timestamp_ntz" or planned.columns[1].source_type.startswith(
        "timestamp "
    )
    assert read(values, planned, "id") == [(1, None, 1), (2, None, 0)]


def test_a_nan_that_the_driver_refuses_is_found_afterwards(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (id int, price numeric(10,2), tax numeric(10,2))")
    source_db.execute("INSERT INTO t VALUES (1, 1, 1), (2, 1, 'NaN')")
    described = session.describe("t")
    found = POSTGRESQL.diagnose(session.query, described, "t", None)
    assert found is not None
    assert (found.field, "holds NaN" in found.message) == ("tax", True)
    assert POSTGRESQL.diagnose(session.query, described, "t", "id = 1") is None
    nulled = plan(session, "t", ValuePolicy.NULL)
    assert read(session, nulled, "id") == [
        (1, Decimal("1.00"), Decimal("1.00"), 0),
        (2, Decimal("1.00"), None, 1),
    ]
    assert [column.type for column in nulled.columns[1:]] == ["decimal(10,2)", "decimal(10,2)"]


def test_decimals_keep_their_declared_form_under_every_policy(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute(
        "CREATE TABLE t (a numeric(10,2), b numeric, c numeric(5,-2), d numeric(60,20), e money)"
    )
    for policy in (ValuePolicy.FAIL, ValuePolicy.NULL):
        planned = plan(session, "t", policy)
        again = session.describe(f"({planned.select_sql()}) AS q")
        forms = [column.declared.replace("numeric", "decimal") for column in again]
        assert forms[: len(planned.columns)] == [column.type for column in planned.columns]


def test_special_floats_stay_what_they_are(source_db: psycopg.Connection, session: SourceSession) -> None:
    source_db.execute("CREATE TABLE t (a float8, b float4)")
    source_db.execute("INSERT INTO t VALUES ('NaN', 'NaN'), ('-0', '-0'), ('-Infinity', '-Infinity')")
    nans, zeros, infinities = read(session, plan(session, "t"))
    assert all(isnan(value) for value in nans)
    assert [copysign(1, value) for value in zeros] == [-1, -1]
    assert infinities == (float("-inf"), float("-inf"))


def test_types_that_somebody_made_arrive_as_text(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("""
        CREATE TYPE mood AS ENUM ('sad', 'so-so');
        CREATE TYPE pair AS (a int, b text);
        CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE >= 0);
        CREATE DOMAIN day AS date;
        CREATE SCHEMA other;
        CREATE TYPE other.date AS ENUM ('yes');
        CREATE TABLE t (m mood, p pair, c cents, d day, o other.date, ma mood[], pa pair[], ca cents[]);
        INSERT INTO t
        VALUES ('so-so', '(1,"a,b")', 1.50, '1582-10-10', 'yes', '{sad}', '{"(1,x)"}', '{1.50}');
    """)
    planned = plan(session, "t")
    assert [column.type for column in planned.columns] == [
        "string",
        "string",
        "decimal(12,2)",
        "date",
        "string",
        "string",
        "string",
        "string",
    ]
    (row,) = read(session, planned)
    assert decoded(session, planned.columns[3], row[3]) == "1582-10-10"
    assert row[:3] == ("so-so", '(1,"a,b")', Decimal("1.50"))
    assert row[4:] == ("yes", '["sad"]', '[{"a":1,"b":"x"}]', "[1.50]")


def test_texts_do_not_depend_on_the_role_s_own_settings(
    source_db: psycopg.Connection,
) -> None:
    database = source_db.info.dbname
    for setting in (
        "TimeZone = 'Asia/Kathmandu'",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = 'postgres_verbose'",
        "extra_float_digits = 0",
        "bytea_output = 'escape'",
    ):
        source_db.execute(f'ALTER DATABASE "{database}" SET {setting}')
    source_db.execute("""
        CREATE TABLE t AS SELECT timetz '12:00+00' AS a, interval '1 day' AS b, array[0.1::float8] AS c,
               daterange('2026-01-02', null) AS d, timestamptz '2026-01-01 00:00+00' AS e,
               array['\\x00'::bytea] AS f;
        CREATE TABLE words AS SELECT '03/04/24'::text AS day;
        CREATE VIEW days AS SELECT day::date AS day FROM words;
    """)
    with closing(open_session(endpoint_of(source_db))) as changed:
        changed.open_snapshot()
        assert read(changed, plan(changed, "t")) == [
            # Bytes inside of something else are written as the source writes them.
            ("12:00:00+00", "P1D", "[0.1]", "[2026-01-02,)", 1767225600000000, '["\\\\000"]')
        ]
        # Day before month is the source's own order, and its view means that.
        ((day,),) = read(changed, plan(changed, "days"))
        assert day == 19816


def test_an_array_is_not_kept_as_what_somebody_s_cast_makes_of_it(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("""
        CREATE TYPE place AS RANGE (subtype = float8);
        CREATE TYPE spot AS (p place, n int);
        CREATE FUNCTION rounded(place) RETURNS json LANGUAGE sql IMMUTABLE
            AS $$ SELECT to_json(round(lower($1))) $$;
        CREATE CAST (place AS json) WITH FUNCTION rounded(place);
        CREATE EXTENSION hstore;
        CREATE TABLE t AS SELECT ARRAY['[1.04,2]'::place] AS a, ARRAY[ROW('[1.04,2]', 1)::spot] AS b,
            ARRAY['k=>NULL'::hstore] AS c
    """)
    session.open_snapshot()
    assert read(session, plan(session, "t")) == [('{"[1.04,2]"}', '{"(\\"[1.04,2]\\",1)"}', '[{"k": null}]')]


MADE = """
    CREATE DOMAIN document AS jsonb;
    CREATE DOMAIN pair AS integer[];
    CREATE TYPE noted AS (note jsonb, number integer);
    CREATE TYPE counted AS (number integer, word text)
"""


def test_arrays_of_what_is_made_of_json_or_arrays_lose_nothing(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    """JSON does not tell a JSON null from NULL, nor where an array begins."""
    source_db.execute(MADE)
    source_db.execute("CREATE TABLE t (pairs pair[], notes noted[], counts counted[], documents document[])")
    source_db.execute(
        "INSERT INTO t VALUES (ARRAY['[0:1]={1,2}'::pair], "
        "ARRAY[ROW('null', 1)::noted, ROW(NULL, 2)::noted], ARRAY[ROW(1, 'one')::counted], NULL), "
        "(NULL, NULL, NULL, ARRAY[NULL, '1']::document[])"
    )
    planned = plan(session, "t")
    assert [column.type for column in planned.columns] == ["string"] * 4
    kept = '{"[0:1]={1,2}"}', '{"(null,1)","(,2)"}', '[{"number":1,"word":"one"}]', None
    assert read(session, planned, "1") == [kept, (None, None, None, "[null,1]")]
    source_db.execute("INSERT INTO t (documents) VALUES (ARRAY['null']::document[])")
    with pytest.raises(ValueRefused) as refusal:
        read(session, planned)
    assert refusal.value.field == "documents"
