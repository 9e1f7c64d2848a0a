"""How many rows a reading connection asks for at once: a driver keeps that many in memory."""

from __future__ import annotations

from dataclasses import dataclass

#: More make a read no faster.
MOST_ROWS = 10_000

#: Where nothing is known of the rows' width: a read is a tenth slower than with :data:`MOST_ROWS`.
UNMEASURED = 1_000

#: Bytes that the rows of one answer may have. An engine reads over several connections at once, and an answer
#: is there until the next one has come.
_BUDGET = 64 * 1024**2

#: Bytes that an answer may have if all its rows are as wide as the widest: wide rows come together.
_WIDEST_BUDGET = 4 * _BUDGET


@dataclass(frozen=True, kw_only=True)
class RowWidth:
    """How many bytes a row takes in a driver's memory."""

    average: float
    #: Of the widest row that was looked at.
    widest: int


def fetch_size(width: RowWidth | None) -> int:
    """Return the rows of one answer, at least 1; ``width`` None: nobody has measured them."""
    if width is None:
        return UNMEASURED
    average, widest = max(1.0, width.average), max(1, width.widest)
    return max(1, min(MOST_ROWS, int(_BUDGET / average), _WIDEST_BUDGET // widest))
