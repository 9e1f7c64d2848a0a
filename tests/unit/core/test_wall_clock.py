"""Wall clocks while they change, minute by minute, against what they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from airflow_dataloader.core.wall_clock import highest_until, lowest_from, reach

MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)

#: A zone, and an instant at which its clock changes.
BACK = [
    ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    # Two hours, and at midnight, so that a date is shown again, too.
    ("Antarctica/Troll", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    ("Asia/Beirut", datetime(2026, 10, 24, 21, 0, tzinfo=UTC)),
]
ON = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]


def wall(zone: str, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@pytest.mark.parametrize(("zone", "change"), BACK + ON)
@pytest.mark.parametrize("overlap", [timedelta(), QUARTER, timedelta(hours=2)])
def test_no_row_is_passed_over_while_a_clock_changes(zone: str, change: datetime, overlap: timedelta) -> None:
    minutes = [change + number * MINUTE for number in range(-300, 301)]
    # A row is written each minute, and committed up to the overlap later.
    rows = [(at, wall(zone, at)) for at in minutes]
    came_to: datetime | None = None
    for load in minutes[::5]:
        seen = [cursor for at, cursor in rows if at + overlap <= load]
        reached = min(max(seen), reach(ZoneInfo(zone), load, overlap)) if seen else None
        if reached is None:
            continue
        assert came_to is None or reached >= came_to, "a watermark never goes back"
        came_to = reached
        later = [cursor for at, cursor in rows if at >= load - overlap]
        assert came_to - overlap <= min(later)
        still = [cursor for at, cursor in rows if at >= load]
        assert came_to <= min(still)


@pytest.mark.parametrize(("zone", "change"), BACK)
def test_only_a_clock_that_goes_back_soon_holds_a_load_back(zone: str, change: datetime) -> None:
    place = ZoneInfo(zone)
    before, after = change - MINUTE, change + MINUTE
    back = wall(zone, change - timedelta(microseconds=1)) - wall(zone, change) + timedelta(microseconds=1)
    assert lowest_from(place, before) == wall(zone, change)
    assert highest_until(place, after) == wall(zone, change) + back
    for quiet in (change - back - MINUTE, after):
        assert lowest_from(place, quiet) == reach(place, quiet, timedelta()) == wall(zone, quiet)
    for quiet in (before, change + back + MINUTE):
        assert highest_until(place, quiet) == wall(zone, quiet)


def test_what_is_late_when_clocks_go_on_lies_an_hour_lower() -> None:
    berlin, change = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert reach(berlin, change + 5 * MINUTE, QUARTER) == datetime(2026, 3, 29, 2, 5)
    assert reach(berlin, change + QUARTER, QUARTER) == datetime(2026, 3, 29, 3, 15)


def test_an_overlap_may_be_longer_than_the_calendar() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)
    assert reach(ZoneInfo("UTC"), at, timedelta.max) == datetime(2026, 6, 1)


def test_no_zone_goes_back_by_more_than_is_looked_at_or_within_a_minute() -> None:
    moments = [datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=20 * n) for n in range(50 * 366 // 20)]
    known = set()
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        offsets = [moment.astimezone(zone).utcoffset() for moment in moments]
        for number, (before, after) in enumerate(pairwise(offsets)):
            if before is None or after is None or before <= after or (number, before, after) in known:
                continue
            # Neighbours change together.
            known.add((number, before, after))
            assert before - after < timedelta(hours=8)
            change = first_with_less(zone, moments[number], moments[number + 1])
            assert not change.second
            assert lowest_from(zone, change - timedelta(microseconds=1)) == wall(name, change)


def first_with_less(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the second at which a clock that has gone back between two instants did so."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high
