"""The bounds of the float's way lie where it is provably exact."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.plan import Wire
from airflow_dataloader.sources.postgresql import datetimes

#: Where quotient and product together stay within a quarter of a microsecond.
LIMIT = 2**32


def test_the_years_of_the_float_s_way_are_within_its_limit() -> None:
    rule = datetimes.timestamptz("x")
    assert rule.fast is not None
    for year in ("1850-01-01", "2100-01-01"):
        assert f"'{year} 00:00:00+00'" in rule.fast[0]
        assert abs(datetime.fromisoformat(year).replace(tzinfo=UTC).timestamp()) < LIMIT


@given(st.integers(-LIMIT * 10**6 + 1, LIMIT * 10**6 - 1))
def test_below_the_limit_a_double_gives_the_microsecond_back(micros: int) -> None:
    """The server's own arithmetic: int64 to double, divided, multiplied, rounded half to even."""
    product = float(micros) / 1_000_000.0 * 1_000_000.0
    assert round(Fraction(product)) == micros


@pytest.mark.parametrize(
    ("rule", "kind", "wire"),
    [
        (datetimes.date, "date", Wire.EPOCH_DAYS),
        (datetimes.timestamp, "timestamp_ntz", Wire.WALL_MICROS),
        (datetimes.timestamptz, "timestamp", Wire.EPOCH_MICROS),
    ],
)
def test_every_moment_travels_as_an_integer(rule: object, kind: str, wire: Wire) -> None:
    found = rule("x")  # type: ignore[operator]
    assert (found.type, found.wire) == (kind, wire)
    assert found.sql_type in {"int4", "int8"}
