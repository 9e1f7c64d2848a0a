"""``infinity`` in a time column can be read, and what lies beyond Python's years."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.times import EARLIEST, LATEST


def test_infinite_times_are_the_outermost_that_python_has(control: Engine) -> None:
    statement = text(
        "SELECT CAST('infinity' AS timestamptz), CAST('-infinity' AS timestamptz), "
        "CAST('2026-01-01 00:00:00+00' AS timestamptz), CAST(NULL AS timestamptz)"
    )
    with control.connect() as connection:
        found = connection.execute(statement).one()
    assert tuple(found) == (LATEST, EARLIEST, datetime(2026, 1, 1, tzinfo=UTC), None)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("10000-01-02 00:00:00+00", LATEST),
        ("294276-12-31 23:59:59.999999+00", LATEST),
        ("0044-03-15 00:00:00+00 BC", EARLIEST),
        ("4714-11-25 00:00:00+00 BC", EARLIEST),
        ("2026-01-01 00:00:00+00", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_years_that_python_lacks_are_the_outermost_too(
    control: Engine, zone: str, said: str, expected: datetime
) -> None:
    with control.connect() as connection:
        connection.execute(text(f"SET LOCAL TimeZone = '{zone}'"))
        assert connection.execute(text(f"SELECT CAST('{said}' AS timestamptz)")).scalar_one() == expected
