"""What clocks without a zone show: some times twice where they go back, and some never where they go on."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

_MINUTE = timedelta(minutes=1)

#: No clock went back by more than seven hours since 1990, and each did so at a full minute.
_MINUTES = 8 * 60

#: What is later than this is too late for an hour to matter.
_LONGEST_OVERLAP = timedelta(days=366)


def reach(zone: tzinfo, at: datetime, overlap: timedelta) -> datetime:
    """Return how far whoever reads all rows at ``at`` has come: the latest wall time to go on from.

    Rows written from then on lie at it or above, and those that were written in the ``overlap`` before,
    and are committed later, lie no further below it. Where no clock changes that is the time that the zone's
    clock shows. It never falls as ``at`` grows.
    """
    overlap = min(overlap, _LONGEST_OVERLAP)
    return min(lowest_from(zone, at), lowest_from(zone, at - overlap) + overlap)


def lowest_from(zone: tzinfo, at: datetime) -> datetime:
    """Return the lowest wall time that the zone's clock shows at ``at`` or later."""
    minute = at.replace(second=0, microsecond=0)
    return min(_wall(zone, at), *(_wall(zone, minute + n * _MINUTE) for n in range(1, _MINUTES)))


def highest_until(zone: tzinfo, at: datetime) -> datetime:
    """Return the highest wall time that the zone's clock showed until ``at``."""
    minute = at.replace(second=0, microsecond=0)
    # Each minute to its end.
    return max(_wall(zone, at), *(_wall(zone, minute - n * _MINUTE) + _MINUTE for n in range(1, _MINUTES)))


def _wall(zone: tzinfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)
