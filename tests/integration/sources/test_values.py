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
from tests.source_configs import endpoint_of

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from tests.conftest import Server

NUMBERS = count(1)

#: SQL type, literal, type at the target, and what arrives.
KEPT: list[tuple[str, str, str, Any]] = [
    ("bool", "true", "boolean", True),
    ("int2", "-32768", "smallint", -32768),
    ("int4", "2147483647", "int", 2147483647),
    ("int8", "-9223372036854775808", "bigint", -9223372036854775808),
    ("oid", "4294967295", "bigint", 4294967295),
    ("float4", "1.1", "float", 1.1),
    ("float8", "5e-324", "double", 5e-324),
    ("float8", "Infinity", "double", float("inf")),
    ("numeric(10,2)", "12345678.90", "decimal(10,2)", Decimal("12345678.90")),
    ("numeric(38,10)", "9" * 28 + "." + "9" * 10, "decimal(38,10)", Decimal("9" * 28 + "." + "9" * 10)),
    ("numeric(5,-2)", "1234567", "decimal(7,0)", Decimal("1234600")),
    ("numeric(2,4)", "0.0099", "decimal(4,4)", Decimal("0.0099")),
    ("numeric(60,20)", "1234567890.123456789", "decimal(38,20)", Decimal("1234567890.123456789")),
    ("numeric", "1e19", "decimal(38,18)", Decimal(10) ** 19),
    ("numeric", "0." + "0" * 17 + "1", "decimal(38,18)", Decimal("1e-18")),
    ("numeric", "1." + "0" * 30, "decimal(38,18)", Decimal(1)),
    ("numeric", "-" + "9" * 20 + "." + "9" * 18, "decimal(38,18)", Decimal("-" + "9" * 20 + "." + "9" * 18)),
    ("money", "-92233720368547758.08", "decimal(23,4)", Decimal("-92233720368547758.08")),
    ("text", "", "string", ""),
    ("text", "NULL", "string", "NULL"),
    ("text", "a'b\"c\\N\r\n\t\x01 𝒳 Größe", "string", "a'b\"c\\N\r\n\t\x01 𝒳 Größe"),
    ("varchar(3)", "abc", "string", "abc"),
    ("char(5)", "ab", "string", "ab   "),
    ("bytea", "\\x00ff", "binary", b"\x00\xff"),
    ("date", "1970-01-01", "date", "1970-01-01"),
    ("date", "1582-10-04", "date", "1582-10-04"),
    ("date", "1582-10-05", "date", "1582-10-05"),
    ("date", "1582-10-10", "date", "1582-10-10"),
    ("date", "1582-10-14", "date", "1582-10-14"),
    ("date", "1500-02-28", "date", "1500-02-28"),
    ("date", "0001-01-01", "date", "0001-01-01"),
    ("date", "9999-12-31", "date", "9999-12-31"),
    ("timestamp", "1582-10-10 12:00:00.000001", "timestamp_ntz", "1582-10-10 12:00:00.000001"),
    ("timestamp", "0001-01-01 00:00:00", "timestamp_ntz", "0001-01-01 00:00:00"),
    ("timestamp", "9999-12-31 23:59:59.999999", "timestamp_ntz", "9999-12-31 23:59:59.999999"),
    ("timestamp", "1969-12-31 23:59:59.999999", "timestamp_ntz", "1969-12-31 23:59:59.999999"),
    # A wall clock's time that no clock in Berlin showed, and one that it showed twice.
    ("timestamp", "2026-03-29 02:30:00", "timestamp_ntz", "2026-03-29 02:30:00"),
    ("timestamp", "2026-10-25 02:30:00", "timestamp_ntz", "2026-10-25 02:30:00"),
    ("timestamp(3)", "2026-01-01 00:00:00.123456", "timestamp_ntz", "2026-01-01 00:00:00.123"),
    ("timestamptz", "1582-10-10 12:00:00.000001+00", "timestamp", "1582-10-10 12:00:00.000001+00"),
    ("timestamptz", "2026-10-25 02:30:00+02", "timestamp", "2026-10-25 00:30:00+00"),
    ("timestamptz", "0001-01-01 00:00:00+00", "timestamp", "0001-01-01 00:00:00+00"),
    ("timestamptz", "9999-12-31 23:59:59.999999+00", "timestamp", "9999-12-31 23:59:59.999999+00"),
    ("time", "23:59:59.999999", "string", "23:59:59.999999"),
    ("time", "24:00", "string", "24:00:00"),
    ("timetz", "12:30:00.5+05:30", "string", "12:30:00.5+05:30"),
    ("interval", "1 year 2 days -03:04:05.6", "string", "P1Y2DT-3H-4M-5.6S"),
    ("interval", "-1 month", "string", "P-1M"),
    ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("json", '{"b":1,  "a": 1e400}', "string", '{"b":1,  "a": 1e400}'),
    ("jsonb", '{"b":1,  "a": 1e5}', "string", '{"a": 100000, "b": 1}'),
    ("inet", "10.0.0.1", "string", "10.0.0.1"),
    ("inet", "10.1.2.3/8", "string", "10.1.2.3/8"),
    ("cidr", "10.0.0.0/8", "string", "10.0.0.0/8"),
    ("macaddr", "08:00:2B:01:02:03", "string", "08:00:2b:01:02:03"),
    ("int4range", "[1,5]", "string", "[1,6)"),
    ("tstzrange", "[2026-01-01 00:00+01,)", "string", '["2025-12-31 23:00:00+00",)'),
    ("datemultirange", "{[2026-01-01,2026-01-03)}", "string", "{[2026-01-01,2026-01-03)}"),
    ("bit(3)", "101", "string", "101"),
    ("varbit", "", "string", ""),
    ("point", "(1.5,2)", "string", "(1.5,2)"),
    ("tsvector", "a b", "string", "'a' 'b'"),
    ("regclass", "pg_class", "string", "pg_class"),
    ("int2vector", "1 2", "string", "1 2"),
    ('"char"', "a", "string", "a"),
    ("name", "abc", "string", "abc"),
    ("pg_lsn", "16/B374D848", "string", "16/B374D848"),
    ("int4[]", "{}", "string", "[]"),
    ("int4[]", "{1,NULL,3}", "string", "[1,null,3]"),
    ("int4[]", "{{1,2},{3,4}}", "string", "[[1,2],[3,4]]"),
    ("text[]", '{a,"b,c","\\"d\\\\",NULL,"NULL"}', "string", '["a","b,c","\\"d\\\\",null,"NULL"]'),
    ("numeric[]", "{1.10,NaN,1e30}", "string", '[1.10,"NaN",1' + "0" * 30 + "]"),
    ("date[]", "{infinity,1582-10-10}", "string", '["infinity","1582-10-10"]'),
    ("timestamptz[]", "{2026-01-01 00:00+01}", "string", '["2025-12-31T23:00:00+00:00"]'),
    ("bool[]", "{t,f}", "string", "[true,false]"),
    ("bytea[]", '{"\\\\x00ff"}', "string", '["\\\\x00ff"]'),
]

#: SQL type, literal that cannot be kept, and the text under which it is refused or kept as a string.
NOT_KEPT = [
    ("date", "infinity", "infinity"),
    ("date", "-infinity", "-infinity"),
    ("date", "0044-03-15 BC", "0044-03-15 BC"),
    ("date", "0001-12-31 BC", "0001-12-31 BC"),
    ("date", "10000-01-01", "10000-01-01"),
    ("timestamp", "infinity", "infinity"),
    ("timestamp", "0001-12-31 23:59:59.999999 BC", "0001-12-31 23:59:59.999999 BC"),
    ("timestamp", "10000-01-01", "10000-01-01 00:00:00"),
    ("timestamp", "294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999"),
    ("timestamptz", "-infinity", "-infinity"),
    ("timestamptz", "0001-01-01 00:00:00+01", "0001-12-31 23:00:00+00 BC"),
    ("timestamptz", "9999-12-31 23:59:59-01", "10000-01-01 00:59:59+00"),
    ("numeric", "NaN", "NaN"),
    ("numeric", "Infinity", "Infinity"),
    ("numeric", "1e20", "1" + "0" * 20),
    ("numeric", "0." + "0" * 18 + "1", "0." + "0" * 18 + "1"),
    ("numeric(60,20)", "1e18", "1" + "0" * 18 + "." + "0" * 20),
    ("numeric(60,20)", "NaN", "NaN"),
    ("numeric(45,40)", "0." + "1" * 40, "0." + "1" * 40),
    ("int4[]", "[0:1]={1,2}", "[0:1]={1,2}"),
    ("int4[]", "[1:1][-2:-1]={{1,2}}", "[1:1][-2:-1]={{1,2}}"),
]


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
        "DateStyle = 'German'",
        "IntervalStyle = 'postgres_verbose'",
        "extra_float_digits = 0",
        "bytea_output = 'escape'",
    ):
        source_db.execute(f'ALTER DATABASE "{database}" SET {setting}')
    source_db.execute("""
        CREATE TABLE t AS SELECT timetz '12:00+00' AS a, interval '1 day' AS b, array[0.1::float8] AS c,
               daterange('2026-01-02', null) AS d, timestamptz '2026-01-01 00:00+00' AS e,
               array['\\x00'::bytea] AS f
    """)
    with closing(open_session(endpoint_of(source_db))) as changed:
        changed.open_snapshot()
        assert read(changed, plan(changed, "t")) == [
            ("12:00:00+00", "P1D", "[0.1]", "[2026-01-02,)", 1767225600000000, '["\\\\x00"]')
        ]
