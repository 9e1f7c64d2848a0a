"""The first day of a rolling window, asked of a real server: zones, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from airflow_dataloader.core.zones import SHADOWED
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.days import days_sql
from tests.integration.sources.reads import POSTGRESQL
from tests.source_configs import config

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

ROLLING = {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 3}


def asked(source: psycopg.Connection, base: str, days: int, zone: str, now: str) -> tuple[str, ...]:
    """Ask as if it were another time at the source."""
    source.execute("SET TimeZone = 'UTC'")
    query = days_sql(base, days, zone).replace("now()", f"timestamptz '{now}'")
    row = source.execute(query).fetchone()
    assert row is not None
    return tuple(row)


def first(source: psycopg.Connection, base: str, days: int, zone: str, now: str) -> str:
    return asked(source, base, days, zone, now)[0]


@pytest.mark.parametrize(
    ("base", "zone", "now", "begin"),
    [
        ("date", "UTC", "2026-03-01 00:30:00+00", "2026-02-27"),
        ("date", "America/New_York", "2026-03-01 00:30:00+00", "2026-02-26"),
        ("timestamp", "Asia/Tokyo", "2026-03-01 15:00:00+00", "2026-02-28 00:00:00"),
        ("timestamptz", "Asia/Tokyo", "2026-03-01 15:00:00+00", "2026-02-27 15:00:00+00"),
        ("timestamptz", "Europe/Berlin", "2026-03-31 10:00:00+00", "2026-03-28 23:00:00+00"),
        # Midnight happens twice: the day begins with the first.
        ("timestamptz", "America/Havana", "2026-11-03 10:00:00+00", "2026-11-01 04:00:00+00"),
        # Midnight does not happen: the day begins at one o'clock.
        ("timestamptz", "America/Havana", "2026-03-10 10:00:00+00", "2026-03-08 05:00:00+00"),
        # 30 December 2011 did not happen at all.
        ("timestamptz", "Pacific/Apia", "2012-01-01 22:00:00+00", "2011-12-30 10:00:00+00"),
    ],
)
def test_the_first_day_by_the_source_s_clock(
    source_db: psycopg.Connection, base: str, zone: str, now: str, begin: str
) -> None:
    days = 3
    assert first(source_db, base, days, zone, now) == begin


@pytest.mark.parametrize(
    ("base", "zone", "now", "begins", "shown"),
    [
        ("date", "Asia/Tokyo", "2026-03-01 15:30:00+00", "2026-02-27 15:00:00+00", "2026-03-02"),
        (
            "timestamp",
            "Asia/Tokyo",
            "2026-03-01 15:30:00+00",
            "2026-02-27 15:00:00+00",
            "2026-03-02 00:30:00",
        ),
        ("timestamptz", "Asia/Tokyo", "2026-03-01 15:30:00+00", "2026-02-27 15:00:00+00", None),
        ("date", "America/Havana", "2026-11-03 10:00:00+00", "2026-11-01 04:00:00+00", "2026-11-03"),
    ],
)
def test_a_window_is_told_by_instants_too(
    source_db: psycopg.Connection, base: str, zone: str, now: str, begins: str, shown: str | None
) -> None:
    assert asked(source_db, base, 3, zone, now)[1:] == (begins, now, shown or now)


@pytest.mark.parametrize(
    ("base", "begin"),
    [
        ("date", "0001-01-01"),
        ("timestamp", "0001-01-01 00:00:00"),
        ("timestamptz", "0001-01-01 00:00:00+00"),
    ],
)
def test_no_window_begins_before_the_first_day_that_the_target_keeps(
    source_db: psycopg.Connection, base: str, begin: str
) -> None:
    assert first(source_db, base, 2_147_483_647, "Asia/Tokyo", "2026-03-01 00:00:00+00") == begin


def test_the_zones_that_postgresql_takes_for_something_else_are_known(source_db: psycopg.Connection) -> None:
    abbreviated = (
        "SELECT name FROM pg_timezone_names "
        "WHERE upper(name) IN (SELECT upper(abbrev) FROM pg_timezone_abbrevs)"
    )
    names = {name for (name,) in source_db.execute(abbreviated)}
    assert names > SHADOWED
    moments = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    asked = "SELECT array_agg(at AT TIME ZONE %s ORDER BY at) FROM unnest(%s::timestamptz[]) AS at"
    for name in names:
        row = source_db.execute(asked, [name, moments]).fetchone()
        walls = [moment.astimezone(ZoneInfo(name)).replace(tzinfo=None) for moment in moments]
        assert (row == (walls,)) is (name not in SHADOWED)


def test_a_zone_that_only_postgresql_s_offsets_would_take_is_refused(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE TABLE t (at date)")
    described = session.describe("t")
    columns = POSTGRESQL.plan_columns(described, config().value_policy).columns
    session.open_snapshot()
    with pytest.raises(ConfigurationError) as refusal:
        POSTGRESQL.days(session.query, described, columns, config(**ROLLING, load_timezone="XYZ5"))
    assert refusal.value.field == "load_timezone"
    known = POSTGRESQL.days(session.query, described, columns, config(**ROLLING, load_timezone="UTC"))
    assert known.where.startswith(f"\"at\" >= CAST('{known.first}' AS pg_catalog.date)")
    assert known.begins == f"{date.fromisoformat(known.first)} 00:00:00+00"
    assert datetime.fromisoformat(known.seen_until).date() == date.fromisoformat(known.shown_until)
