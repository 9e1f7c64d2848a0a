"""From a schedule on the wall clock to instants, across changes of the clock.

A cron speaks of the wall clock. Twice a year a wall clock in many zones jumps, so a time may not exist or
come twice. The rules here:

- a slot that falls into a gap happens at the first instant after the gap;
- a slot that comes twice happens the first time only;
- but where every hour counts (the hour field is ``*``), each real hour has its slots: those of an hour that
  comes twice happen twice, those of an hour that does not exist happen not at all.

Instants strictly increase, so slots that fall on one instant are one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil
from typing import Protocol

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class WallSchedule(Protocol):
    """A schedule that knows no zones."""

    @property
    def every_hour(self) -> bool:
        """Whether it counts every hour of the day alike."""

    def next_after(self, wall: datetime) -> datetime:
        """Return the first slot later than ``wall``; both without a zone."""


def next_instant(schedule: WallSchedule, zone: tzinfo, after: datetime) -> datetime:
    """Return the schedule's first instant later than ``after``, in UTC. ``after`` has a zone."""
    start = after.astimezone(UTC)
    return _next_real(schedule, zone, start) if schedule.every_hour else _next_mapped(schedule, zone, start)


def _next_mapped(schedule: WallSchedule, zone: tzinfo, after: datetime) -> datetime:
    """Walk the wall clock; :func:`_instant` never falls, so no earlier slot can have been passed over."""
    wall = _wall(zone, after)
    while True:
        wall = schedule.next_after(wall)
        instant = _instant(zone, wall)
        if instant > after:
            return instant


def _next_real(schedule: WallSchedule, zone: tzinfo, after: datetime) -> datetime:
    """Walk from one change of the clock to the next; between two, wall and time run alike."""
    wall, offset = _wall(zone, after), _offset(zone, after)
    while True:
        instant = (schedule.next_after(wall) - offset).replace(tzinfo=UTC)
        change = _first(lambda moment: _offset(zone, moment) != offset, after, instant)  # noqa: B023
        if change is None:
            return instant
        # The new wall time at the change itself may be a slot, hence a step back.
        after, offset, wall = change, _offset(zone, change), _wall(zone, change) - _MICROSECOND


def _instant(zone: tzinfo, wall: datetime) -> datetime:
    """Return the first instant at which the wall clock shows ``wall``, or passes over it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(zone, instant) == wall:
        return instant
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _first(lambda moment: _wall(zone, moment) > wall, before, instant) or instant


def _first(holds: Callable[[datetime], bool], after: datetime, until: datetime) -> datetime | None:
    """Return the first whole second in ``(after, until]`` from which on ``holds``, or None.

    Looks at one moment a day, then halves; a state that lasts less than a day may be missed.
    """
    low = after
    while low < until:
        high = min(low + _DAY, until)
        if holds(high):
            return _halve(holds, low, high)
        low = high
    return None


def _halve(holds: Callable[[datetime], bool], low: datetime, high: datetime) -> datetime:
    """Return the first whole second at which ``holds``; it does not at ``low``, and does at ``high``."""
    floor = low.replace(microsecond=0)
    failing, holding = 0, ceil((high - floor) / _SECOND)
    while holding - failing > 1:
        middle = (failing + holding) // 2
        if holds(floor + middle * _SECOND):
            holding = middle
        else:
            failing = middle
    return floor + holding * _SECOND


def _wall(zone: tzinfo, instant: datetime) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(zone: tzinfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)
