"""Names and numbers in a sentence."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[object], most: int) -> str:
    """Return the first ``most`` of some names, and how many others there are: ``a, b and 4 more``."""
    more = len(names) - most
    return ", ".join(map(str, names[:most])) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return the number of things that ``noun`` is one of: ``1 row``, ``1,200 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
