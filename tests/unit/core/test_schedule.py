"""Slots on the wall clock become instants: each once, none lost, whatever the clock does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.schedule import next_instant

MINUTE = timedelta(minutes=1)

#: A zone and a day around which its clock changes.
CHANGES = {
    "Europe/Berlin, forward": ("Europe/Berlin", datetime(2026, 3, 29)),
    "Europe/Berlin, back": ("Europe/Berlin", datetime(2026, 10, 25)),
    "America/New_York, forward": ("America/New_York", datetime(2026, 3, 8)),
    "America/New_York, back": ("America/New_York", datetime(2026, 11, 1)),
    "Australia/Lord_Howe, half an hour forward": ("Australia/Lord_Howe", datetime(2026, 10, 4)),
    "Australia/Lord_Howe, half an hour back": ("Australia/Lord_Howe", datetime(2026, 4, 5)),
    "America/Santiago, at midnight forward": ("America/Santiago", datetime(2026, 9, 6)),
    "America/Santiago, at midnight back": ("America/Santiago", datetime(2026, 4, 5)),
    "Antarctica/Troll, two hours": ("Antarctica/Troll", datetime(2026, 3, 29)),
    "Pacific/Apia, a day left out": ("Pacific/Apia", datetime(2011, 12, 30)),
    "no change": ("Asia/Kolkata", datetime(2026, 3, 29)),
}


@dataclass(frozen=True)
class Daily:
    """Slots at the given minutes of every day."""

    minutes: frozenset[int]
    every_hour: bool = False

    def next_after(self, wall: datetime) -> datetime:
        midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
        today = [slot for minute in self.minutes if (slot := midnight + minute * MINUTE) > wall]
        return min(today, default=midnight + timedelta(days=1) + min(self.minutes) * MINUTE)


def hourly(*minutes: int) -> Daily:
    every = frozenset(60 * hour + minute for hour in range(24) for minute in minutes)
    return Daily(every, every_hour=True)


def walk(schedule: Daily, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    found = []
    instant = next_instant(schedule, zone, start)
    while instant <= end:
        found.append(instant)
        instant = next_instant(schedule, zone, instant)
    return found


def watch_the_clock(schedule: Daily, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Do the same by looking at the clock every minute: a slot happens when it is shown or passed over."""
    found = []
    latest = start.astimezone(zone).replace(tzinfo=None)
    due = schedule.next_after(latest)
    for number in range(1, int((end - start) / MINUTE) + 1):
        wall = (start + number * MINUTE).astimezone(zone).replace(tzinfo=None)
        if schedule.every_hour:
            happens = wall.hour * 60 + wall.minute in schedule.minutes
        else:
            happens = wall >= due
            latest = max(latest, wall)
            due = schedule.next_after(latest) if happens else due
        if happens:
            found.append(start + number * MINUTE)
    return found


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=25)
@given(data=st.data())
def test_equals_a_watched_clock(change: str, data: st.DataObject) -> None:
    name, day = CHANGES[change]
    zone = ZoneInfo(name)
    start = (day - timedelta(days=1)).replace(tzinfo=UTC)
    end = start + timedelta(days=2, hours=12)
    if data.draw(st.booleans(), label="every hour"):
        schedule = hourly(*data.draw(st.sets(st.integers(0, 59), min_size=1, max_size=4)))
    else:
        schedule = Daily(data.draw(st.frozensets(st.integers(0, 1439), min_size=1, max_size=8)))
    found = walk(schedule, zone, start, end)
    assert found == watch_the_clock(schedule, zone, start, end)
    assert all(earlier < later for earlier, later in pairwise(found))


@given(
    change=st.sampled_from(list(CHANGES)),
    seconds=st.integers(0, 3 * 86400),
    microseconds=st.integers(0, 999_999),
    minutes=st.frozensets(st.integers(0, 1439), min_size=1, max_size=8),
    every_hour=st.booleans(),
)
def test_any_start_finds_the_next_of_the_same_slots(
    change: str, seconds: int, microseconds: int, minutes: frozenset[int], every_hour: bool
) -> None:
    name, day = CHANGES[change]
    zone = ZoneInfo(name)
    schedule = hourly(*{minute % 60 for minute in minutes}) if every_hour else Daily(minutes)
    start = (day - timedelta(days=1)).replace(tzinfo=UTC)
    after = start + timedelta(seconds=seconds, microseconds=microseconds)
    slots = walk(schedule, zone, start, start + timedelta(days=6))
    assert next_instant(schedule, zone, after) == min(slot for slot in slots if slot > after)


def test_the_answer_does_not_depend_on_the_zone_of_the_question() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=berlin)
    assert next_instant(Daily(frozenset({13 * 60})), berlin, noon) == datetime(2026, 7, 1, 11, 0, tzinfo=UTC)
    assert next_instant(Daily(frozenset({13 * 60})), berlin, noon.astimezone(UTC)).tzinfo is UTC


def test_a_slot_in_the_gap_happens_right_after_it() -> None:
    slots = walk(
        Daily(frozenset({150})),
        ZoneInfo("Europe/Berlin"),
        datetime(2026, 3, 28, 12, tzinfo=UTC),
        datetime(2026, 3, 30, 12, tzinfo=UTC),
    )
    assert slots == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC), datetime(2026, 3, 30, 0, 30, tzinfo=UTC)]


def test_slots_that_fall_on_one_instant_are_one() -> None:
    slots = walk(
        Daily(frozenset({120, 135, 150, 180})),
        ZoneInfo("Europe/Berlin"),
        datetime(2026, 3, 29, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 12, tzinfo=UTC),
    )
    assert slots == [datetime(2026, 3, 29, 1, 0, tzinfo=UTC)]
