"""A distance along a cursor, as a row writes it: a lookback, or the size of a chunk."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_SPAN = re.compile(r"(\d{1,9})\s*([a-z]+)")


def parse_distance(text: str | None) -> timedelta | int | None:
    """Return the span (``15 minutes``, ``2 days``) or number (``1000``) that ``text`` means; None for None.

    Raises ValueError with one sentence when it is neither.
    """
    if text is None or not text.strip():
        return None
    cleaned = text.strip().casefold()
    if cleaned.isdecimal():
        return int(cleaned)
    match = _SPAN.fullmatch(cleaned)
    unit = _UNITS.get(match.group(2).removesuffix("s")) if match else None
    if match is None or unit is None:
        raise ValueError(f"{text!r} is neither a span of time nor a whole number")
    try:
        return int(match.group(1)) * unit
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any calendar") from None
