"""``load_cron`` and ``load_timezone``: what people write, and when it is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_dataloader.control.cron import Cron, next_slot
from airflow_dataloader.exceptions import ConfigurationError


def slots(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Return the local times of all slots between two local times, with their offsets from UTC."""
    local = ZoneInfo(zone)
    instant = datetime.fromisoformat(start).replace(tzinfo=local).astimezone(UTC)
    last = datetime.fromisoformat(end).replace(tzinfo=local).astimezone(UTC)
    found = []
    while (instant := next_slot(cron, zone, instant)) <= last:
        found.append(instant.astimezone(local).strftime("%m-%d %H:%M%z"))
    return found


def test_daily_in_berlin_is_once_a_day_through_both_changes() -> None:
    assert slots("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-31") == [
        "03-28 02:30+0100",
        "03-29 03:00+0200",
        "03-30 02:30+0200",
    ]
    assert slots("30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-27") == [
        "10-24 02:30+0200",
        "10-25 02:30+0200",
        "10-26 02:30+0100",
    ]


def test_daily_in_new_york_is_once_a_day_through_both_changes() -> None:
    assert slots("15 2 * * *", "America/New_York", "2026-03-07", "2026-03-10") == [
        "03-07 02:15-0500",
        "03-08 03:00-0400",
        "03-09 02:15-0400",
    ]
    assert slots("15 1 * * *", "America/New_York", "2026-10-31", "2026-11-03") == [
        "10-31 01:15-0400",
        "11-01 01:15-0400",
        "11-02 01:15-0500",
    ]


def test_daily_on_lord_howe_whose_clock_moves_half_an_hour() -> None:
    assert slots("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", "2026-10-06") == [
        "10-03 02:15+1030",
        "10-04 02:30+1100",
        "10-05 02:15+1100",
    ]
    assert slots("45 1 * * *", "Australia/Lord_Howe", "2026-04-04", "2026-04-07") == [
        "04-04 01:45+1100",
        "04-05 01:45+1100",
        "04-06 01:45+1030",
    ]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Asia/Kolkata", "2026-03-29", 24),
    ],
)
@pytest.mark.parametrize(("cron", "an_hour"), [("0 * * * *", 1), ("30 * * * *", 1), ("*/15 * * * *", 4)])
def test_every_real_hour_counts(zone: str, day: str, hours: int, cron: str, an_hour: int) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    last = midnight.replace(hour=23, minute=59).astimezone(UTC)
    instant = midnight.astimezone(UTC) - timedelta(seconds=1)
    count = 0
    while (instant := next_slot(cron, zone, instant)) <= last:
        count += 1
    assert count == hours * an_hour


def test_hourly_on_lord_howe() -> None:
    assert slots("0 * * * *", "Australia/Lord_Howe", "2026-04-05 00:30", "2026-04-05 03:30") == [
        "04-05 01:00+1100",
        "04-05 02:00+1030",
        "04-05 03:00+1030",
    ]
    assert slots("*/15 * * * *", "Australia/Lord_Howe", "2026-04-05 01:20", "2026-04-05 02:10") == [
        "04-05 01:30+1100",
        "04-05 01:45+1100",
        "04-05 01:30+1030",
        "04-05 01:45+1030",
        "04-05 02:00+1030",
    ]


def test_some_hours_are_not_every_hour() -> None:
    assert slots("30 2,3 * * *", "Europe/Berlin", "2026-10-25", "2026-10-25 12:00") == [
        "10-25 02:30+0200",
        "10-25 03:30+0100",
    ]
    assert Cron("0 */1 * * *").every_hour
    assert Cron("0 0-23 * * *").every_hour
    assert not Cron("0 */2 * * *").every_hour


def test_leap_day_and_year_end() -> None:
    assert slots("0 6 29 2 *", "Europe/Berlin", "2026-01-01", "2033-01-01") == ["02-29 06:00+0100"] * 2
    assert slots("59 23 31 12 *", "America/New_York", "2026-12-30", "2027-01-02") == ["12-31 23:59-0500"]
    assert slots("0 0 * * *", "UTC", "2026-12-31 00:01", "2027-01-01") == ["01-01 00:00+0000"]


def test_last_day_of_the_month_and_the_31st() -> None:
    assert slots("0 5 L * *", "Europe/Berlin", "2028-01-15", "2028-04-15") == [
        "01-31 05:00+0100",
        "02-29 05:00+0100",
        "03-31 05:00+0200",
    ]
    assert slots("0 5 31 * *", "Europe/Berlin", "2026-01-15", "2026-06-15") == [
        "01-31 05:00+0100",
        "03-31 05:00+0200",
        "05-31 05:00+0200",
    ]


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "daily",
        "61 * * * *",
        "* * * *",
        "0 0 * * * *",
        "0 0 1 1 * 0 2027",
        "0 0 31 2 *",
        "H * * * *",
        "R 2 * * *",
        "R(0-10) 2 * * *",
        "@reboot",
    ],
)
def test_what_is_no_cron_is_refused_by_name(cron: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        next_slot(cron, "UTC", datetime(2026, 1, 1, tzinfo=UTC))
    assert refused.value.field == "load_cron"
    assert repr(cron) in str(refused.value)
    assert refused.value.fix


@pytest.mark.parametrize("cron", ["@daily", "0 6 * MAR-APR THU", "  0   6 * * fri#2 ", "*/5 0-6 1,15 * *"])
def test_what_people_write_is_read(cron: str) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert next_slot(cron, "UTC", after) > after


@pytest.mark.parametrize(
    ("ranges", "values"),
    [
        ("0 0 1-1 * *", "0 0 1 * *"),
        ("00-0 20-20 * * *", "0 20 * * *"),
        ("5-5/2,7 * * * *", "5,7 * * * *"),
        ("0 0 * Mar-3 Mon-MON", "0 0 * 3 1"),
        ("0 0 * * 7-sun", "0 0 * * 0"),
        ("0 0 * * mon-mon#1", "0 0 * * mon#1"),
        ("0 0 * * 0-7", "0 0 * * *"),
    ],
)
def test_a_range_of_one_value_is_that_value(ranges: str, values: str) -> None:
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(50):
        slot = next_slot(ranges, "UTC", instant)
        assert slot == next_slot(values, "UTC", instant)
        instant = slot


def test_an_error_names_the_column_that_the_cron_is_from() -> None:
    with pytest.raises(ConfigurationError, match=r"^delete_cron .sometimes.") as caught:
        next_slot("sometimes", "UTC", datetime.now(UTC), field="delete_cron")
    assert caught.value.field == "delete_cron"
