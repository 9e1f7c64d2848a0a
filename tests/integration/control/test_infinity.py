"""``infinity`` in a time column can be read."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Engine, text

from airflow_dataloader.control.infinity import EARLIEST, LATEST


def test_infinite_times_are_the_outermost_that_python_has(control: Engine) -> None:
    statement = text(
        "SELECT CAST('infinity' AS timestamptz), CAST('-infinity' AS timestamptz), "
        "CAST('2026-01-01 00:00:00+00' AS timestamptz), CAST(NULL AS timestamptz)"
    )
    with control.connect() as connection:
        found = connection.execute(statement).one()
    assert tuple(found) == (LATEST, EARLIEST, datetime(2026, 1, 1, tzinfo=UTC), None)
