"""The integers that dates and timestamps travel as, against two other ways to compute them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.plan import Wire
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from airflow_dataloader.sources.postgresql.types import keep

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)

#: Ends of the ranges in which the expressions take another way, and years around 1582 and 1970.
EDGES = [
    datetime(1, 1, 1),
    datetime(1582, 10, 5),
    datetime(1582, 10, 14, 23, 59, 59, 999999),
    datetime(1833, 11, 24, 17, 31, 44),
    datetime(1849, 12, 31, 23, 59, 59, 999999),
    datetime(1850, 1, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(1970, 1, 1, 0, 0, 0, 1),
    datetime(2099, 12, 31, 23, 59, 59, 999999),
    datetime(2100, 1, 1),
    datetime(2106, 2, 7, 6, 28, 16),
    datetime(2112, 9, 17, 23, 53, 47, 370497),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
]

MOMENTS = st.lists(st.datetimes() | st.sampled_from(EDGES), min_size=1, max_size=200)
ON_A_SERVER = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def select(base: str) -> str:
    """Return the planned expression of a column ``x`` of type ``base``."""
    described = [DescribedColumn(name="x", base=base, declared=base)]
    (column,) = plan_columns(described, ValuePolicy.FAIL).columns
    return column.select


@pytest.fixture
def frozen(session: SourceSession) -> SourceSession:
    """A session whose styles are those of a load."""
    session.open_snapshot()
    return session


@ON_A_SERVER
@given(moments=MOMENTS)
def test_wall_clocks_agree_with_python_s_own_arithmetic(
    frozen: SourceSession, moments: list[datetime]
) -> None:
    values = ", ".join(f"({n}, timestamp '{moment.isoformat()}')" for n, moment in enumerate(moments))
    rows = frozen.query(f"SELECT {select('timestamp')} FROM (VALUES {values}) AS t(n, x) ORDER BY n")
    assert [micros for (micros,) in rows] == [(moment - EPOCH) // MICROSECOND for moment in moments]


@ON_A_SERVER
@given(moments=MOMENTS)
def test_instants_agree_with_python_s_own_arithmetic(frozen: SourceSession, moments: list[datetime]) -> None:
    values = ", ".join(f"({n}, timestamptz '{moment.isoformat()}+00')" for n, moment in enumerate(moments))
    rows = frozen.query(f"SELECT {select('timestamptz')} FROM (VALUES {values}) AS t(n, x) ORDER BY n")
    epoch = EPOCH.replace(tzinfo=UTC)
    expected = [(moment.replace(tzinfo=UTC) - epoch) // MICROSECOND for moment in moments]
    assert [micros for (micros,) in rows] == expected


@ON_A_SERVER
@given(days=st.lists(st.dates() | st.sampled_from([edge.date() for edge in EDGES]), min_size=1))
def test_days_agree_with_python_s_own_arithmetic(frozen: SourceSession, days: list[date]) -> None:
    values = ", ".join(f"({n}, date '{day.isoformat()}')" for n, day in enumerate(days))
    rows = frozen.query(f"SELECT {select('date')} FROM (VALUES {values}) AS t(n, x) ORDER BY n")
    assert [number for (number,) in rows] == [(day - date(1970, 1, 1)).days for day in days]


@pytest.mark.parametrize("base", ["timestamp", "timestamptz"])
@pytest.mark.parametrize(
    ("first", "last"),
    [("1850-01-01", "2100-01-01"), ("0001-01-01", "9999-12-30"), ("2099-12-01", "2113-01-01")],
)
def test_a_hundred_thousand_random_moments_agree_with_numeric_arithmetic(
    frozen: SourceSession, base: str, first: str, last: str
) -> None:
    rule = keep(DescribedColumn(name="x", base=base, declared=base), "x")
    moments = f"SELECT {base} '{first}' + random() * ({base} '{last}' - {base} '{first}') AS x"
    assert rule.fast is not None
    (counted,) = frozen.query(
        f"SELECT count(*) FILTER (WHERE {select(base)} <> exact), "
        f"count(*) FILTER (WHERE {rule.value} <> exact), count(*) "
        f"FROM (SELECT x, (extract(epoch FROM x) * 1000000)::int8 AS exact "
        f"FROM ({moments} FROM generate_series(1, 100000) OFFSET 0) AS m OFFSET 0) AS t"
    )
    assert counted == (0, 0, 100_000)
    assert rule.wire in {Wire.EPOCH_MICROS, Wire.WALL_MICROS}


def test_the_float_s_way_would_not_do_for_all_years(frozen: SourceSession) -> None:
    """Show why there are two ways: beyond 2106 the float is wrong by a microsecond here and there."""
    ((wrong,),) = frozen.query(
        "SELECT count(*) FILTER (WHERE (date_part('epoch', x) * 1000000)::int8 "
        "<> (extract(epoch FROM x) * 1000000)::int8) "
        "FROM (SELECT timestamp '2300-01-01' + n * interval '1 day 1 microsecond' AS x "
        "FROM generate_series(1, 100000) AS n) AS t"
    )
    assert wrong > 0


def test_no_rounding_hides_in_numbers(source_db: psycopg.Connection, session: SourceSession) -> None:
    """Whatever a guard lets through is equal to what the source holds, for numerics of every shape."""
    source_db.execute("""
        CREATE TABLE t AS
        SELECT (random() * 1e6)::numeric * (10::numeric ^ (random() * 40 - 20)::int)
               + (CASE WHEN n % 3 = 0 THEN 10::numeric ^ (-(n % 25)) ELSE 0 END) AS x
        FROM generate_series(1, 20000) AS n
    """)
    session.open_snapshot()
    described = session.describe("t")
    plan = plan_columns(described, ValuePolicy.NULL)
    ((kept, replaced, wrong, refused_in_vain),) = session.query(
        f"SELECT count(y), sum(r), count(*) FILTER (WHERE y <> x), "
        f"count(*) FILTER (WHERE y IS NULL AND abs(x) < 1e20 AND x = round(x, 18)) "
        f"FROM (SELECT x, {plan.columns[0].select} AS y, {plan.replaced} AS r FROM t) AS q"
    )
    assert (kept + replaced, wrong, refused_in_vain) == (20_000, 0, 0)
    assert kept > 0
    assert replaced > 0
