"""The canonical text of a row: two systems that write it alike hold the same row (docs/adr/0020).

Each value has one text, the same for every type of its family; NULL has none. A row is the texts of its
columns one after another, each behind its length. Engines and sources compute this in their own SQL, by the
rules below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

#: Stands for NULL, where a length would begin.
NULL = "~"

#: Hexadecimal digits of a sha256 that make one number of 60 bits; two of them are used of each.
DIGITS = 15

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Family(StrEnum):
    """Types whose equal values have equal texts."""

    #: ``true`` or ``false``.
    BOOLEAN = "boolean"
    #: Integers and decimals: digits without zeros that say nothing, ``-0.5``, ``100``.
    NUMBER = "number"
    #: Exact, in base 16, as C and Java write it: ``0x1.8p1``, ``-0x0.0p0``, ``NaN``, ``-Infinity``.
    FLOAT = "float"
    #: The text itself.
    TEXT = "text"
    #: Two lower-case hexadecimal digits a byte.
    BINARY = "binary"
    #: Days since 1970-01-01.
    DATE = "date"
    #: Microseconds since 1970-01-01T00:00:00Z.
    INSTANT = "instant"
    #: Microseconds of the wall clock since 1970-01-01T00:00:00.
    WALL_CLOCK = "wall clock"


#: Families whose values both sides put in one order.
ORDERED = frozenset({Family.NUMBER, Family.TEXT, Family.DATE, Family.INSTANT, Family.WALL_CLOCK})

_FAMILIES = {
    "boolean": Family.BOOLEAN,
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), Family.NUMBER),
    **dict.fromkeys(("float", "double"), Family.FLOAT),
    "string": Family.TEXT,
    "binary": Family.BINARY,
    "date": Family.DATE,
    "timestamp": Family.INSTANT,
    "timestamp_ntz": Family.WALL_CLOCK,
}
_DECIMAL = re.compile(r"decimal\(\d+,\s*\d+\)")


def family(type_name: str) -> Family | None:
    """Return the family of a Delta type in lower case, or None for one that no load makes."""
    return Family.NUMBER if _DECIMAL.fullmatch(type_name) else _FAMILIES.get(type_name)


def framed(texts: Iterable[str | None]) -> str:
    """Return the row's text; lengths count characters (code points)."""
    return "".join(NULL if text is None else f"{len(text)}:{text}" for text in texts)


def unframed(row: str) -> tuple[str | None, ...]:
    """Return the texts that ``row`` was made of: there is one such list, so no two rows have one text."""
    texts: list[str | None] = []
    while row:
        if row.startswith(NULL):
            texts.append(None)
            row = row[len(NULL) :]
            continue
        length, _, rest = row.partition(":")
        texts.append(rest[: int(length)])
        row = rest[int(length) :]
    return tuple(texts)


def shown(text: str | None, kind: Family) -> str:
    """Return a value's canonical text as a person reads it."""
    if text is None:
        return "NULL"
    if kind is Family.TEXT:
        return repr(text)
    unit = {Family.DATE: timedelta(days=1)}.get(kind, timedelta(microseconds=1))
    if kind not in {Family.DATE, Family.INSTANT, Family.WALL_CLOCK}:
        return text
    try:
        moment = _EPOCH + int(text) * unit
    except OverflowError:
        # The target may hold what no load brought.
        return text
    if kind is Family.DATE:
        return moment.date().isoformat()
    return (moment if kind is Family.INSTANT else moment.replace(tzinfo=None)).isoformat(" ")
