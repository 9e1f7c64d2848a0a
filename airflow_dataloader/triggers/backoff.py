"""How long a trigger waits after something went wrong."""

from __future__ import annotations

#: Seconds. A triggerer that waits longer would notice late that a database is back.
LONGEST = 5.0

_FIRST = 0.5


def backoff(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row."""
    return min(LONGEST, _FIRST * 2.0 ** min(failures - 1, 10))


def worth_a_line(failures: int) -> bool:
    """Return whether this failure is to be logged: the first, and ever fewer of those that follow."""
    return failures & (failures - 1) == 0
