"""PostgreSQL, Spark and the rules in Python write every value alike; no other value is written so."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.encoding import Family, family, framed
from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.engines.spark import encoding as spark
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.engines.spark.read import frame
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import lines
from airflow_dataloader.sources.postgresql import encoding as postgresql
from airflow_dataloader.sources.registry import dialect_of
from tests.bench import Bench
from tests.integration.sources.values import KEPT, NOT_KEPT
from tests.source_configs import endpoint_of

POSTGRESQL = dialect_of("postgresql")

#: SQL type to values that are easily taken for each other, or written in several ways.
POISON: dict[str, list[str]] = {
    "float8": ["NaN", "-NaN", "0", "-0", "Infinity", "-Infinity", "5e-324", "-2.5e-310", "1e23", "0.1"],
    "float4": ["NaN", "-0", "1.1", "1e-45", "3.4028235e38"],
    "text": ["", " ", "~", "0:", "1:a", "NULL", "\\", "a\tb\nc", "𝒳", "X", "Ä", "A\u0308"],
    "char(4)": ["", "a", "a b"],
    "numeric": ["0", "0.0", "100", "100.00", "-0.50", "0.000000000000000001", "-99999999999999999999"],
    "bytea": ["", "\\x00", "\\x0a", "\\xffff"],
}


def texts(
    bench: Bench, relation: str, policy: ValuePolicy = ValuePolicy.FAIL
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], ReadPlan]:
    """Return the canonical texts of a relation's rows, by ``id``, as PostgreSQL and Spark write them."""
    endpoint = endpoint_of(bench.source)
    with closing(open_session(endpoint)) as session:
        snapshot = session.open_snapshot()
        planned = POSTGRESQL.plan_columns(session.describe(relation), policy)
        plan = ReadPlan(
            endpoint=endpoint,
            columns=planned.columns,
            relation=relation,
            session_init=POSTGRESQL.session_init(snapshot.id),
        )
        items = ", ".join(postgresql.canonical(column) for column in plan.columns)
        theirs = session.query(f"SELECT {items} FROM {relation} AS r ORDER BY r.id")
        assert isinstance(bench.engine, SparkEngine)
        read = frame(bench.engine._context.spark, plan, POSTGRESQL).orderBy("id")
        written = [spark.canonical(quoted(column.name), column.type) for column in plan.columns]
        ours = [tuple(row) for row in read.selectExpr(*written).collect()]
    return theirs, ours, plan


def table(bench: Bench, columns: Sequence[tuple[str, Sequence[str | None]]]) -> str:
    """Make a table of ``id`` and a column for each SQL type; shorter columns are filled up with NULL."""
    name = f"t_{uuid4().hex[:12]}"
    items = ", ".join(f"c{number} {kind}" for number, (kind, _) in enumerate(columns))
    bench.source.execute(f"CREATE TABLE {name} (id int, {items})")
    places = ", ".join(f"%s::text::{kind}" for kind, _ in columns)
    for number in range(max(len(values) for _, values in columns) + 1):
        row = [values[number] if number < len(values) else None for _, values in columns]
        bench.source.execute(f"INSERT INTO {name} VALUES ({number}, {places})", row)
    return name


def test_every_type_is_written_alike_and_verifies(bench: Bench) -> None:
    columns = [(kind, [value]) for kind, value, *_ in KEPT] + list(POISON.items())
    name = table(bench, columns)
    theirs, ours, plan = texts(bench, name)
    assert theirs == ours
    assert {family(column.type) for column in plan.columns} == set(Family)
    # Of one column only values that are the same share their text.
    for number, (kind, values) in enumerate(columns[len(KEPT) :], len(KEPT) + 1):
        written = {row[number] for row in theirs[: len(values)]}
        ((different,),) = bench.source.execute(
            f"SELECT count(DISTINCT CAST(t AS {kind})) FROM unnest(%s::text[]) AS u(t)", (values,)
        )
        # -0 and 0 are equal to PostgreSQL, and two values to the target.
        assert len(written) == different + (kind == "float8"), kind
    row = bench.row(name, primary_key_cols="id")
    bench.succeed(row)
    (verified,) = verify_rows(bench.context, [row])
    assert (verified.outcome, list(lines(verified))) == ("equal", [])


@pytest.mark.parametrize("policy", [ValuePolicy.NULL, ValuePolicy.STRING])
def test_values_that_cannot_be_kept_are_written_as_they_arrive(bench: Bench, policy: ValuePolicy) -> None:
    name = table(bench, [(kind, [value]) for kind, value, _ in NOT_KEPT])
    theirs, ours, _ = texts(bench, name, policy)
    assert theirs == ours


def float_text(value: float) -> str:
    """Write a float by another way: Python's."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    head, _, exponent = value.hex().partition("p")
    whole, _, fraction = head.partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}p{int(exponent)}"


def decimal_text(value: Decimal) -> str:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


BITS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0])
DECIMALS = st.decimals(
    min_value=-(10**20) + 1, max_value=10**20 - 1, places=18, allow_nan=False, allow_infinity=False
)
LETTERS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=6)
VALUES = st.tuples(
    st.floats() | BITS,
    DECIMALS | st.integers(-5, 5).map(Decimal),
    st.none() | LETTERS | st.sampled_from(["", "~", "1:a"]),
    st.none() | st.binary(max_size=6),
    st.dates(),
    st.datetimes(),
    st.none() | st.booleans(),
)


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(VALUES, min_size=10, max_size=40))
def test_whatever_the_values_three_ways_write_them_alike(bench: Bench, rows: list[tuple[Any, ...]]) -> None:
    name = f"t_{uuid4().hex[:12]}"
    bench.source.execute(
        f"CREATE TABLE {name} (id int, f float8, p numeric, s text, b bytea, d date, t timestamp, o bool)"
    )
    for number, row in enumerate(rows):
        bench.source.execute(f"INSERT INTO {name} VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", (number, *row))
    theirs, ours, plan = texts(bench, name)
    assert theirs == ours
    assert theirs == [(str(number), *expected(*row)) for number, row in enumerate(rows)]
    columns = [postgresql.canonical(column) for column in plan.columns]
    whole = f"SELECT {postgresql.framed(columns)} FROM {name} ORDER BY id"
    with closing(open_session(endpoint_of(bench.source))) as session:
        session.open_snapshot()
        assert [row for (row,) in session.query(whole)] == [framed(row) for row in theirs]


def expected(
    f: float, p: Decimal, s: str | None, b: bytes | None, d: date, t: datetime, o: bool | None
) -> tuple[str | None, ...]:
    micros = (t - datetime(1970, 1, 1)) // (datetime.resolution)
    return (
        float_text(f),
        decimal_text(p),
        s,
        None if b is None else b.hex(),
        str((d - date(1970, 1, 1)).days),
        str(micros),
        None if o is None else str(o).lower(),
    )
