"""PostgreSQL's times as Python can hold them: ``infinity`` too, and whatever the session's DateStyle.

``paused_until`` and ``next_load_date_time`` may be ``infinity``, and any time may lie before year 1 or after
year 9999, if only in the session's zone; psycopg would refuse to read such a row, and every row read with it.
It would also refuse every time where the session's DateStyle is not ISO, although our transactions set it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection, DataError
from psycopg.abc import AdaptContext, Buffer
from psycopg.types.datetime import TimestamptzLoader

LATEST = datetime.max.replace(tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)

_AFTER_9999 = re.compile(rb"\d{5,}-\d\d-\d\d ")
_BEFORE_1 = re.compile(rb"\d{4,}-\d\d-\d\d .* BC$")


class _TimeReader(TimestamptzLoader):
    """Reads what is too late as the latest time that Python has, what is too early as the earliest."""

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        # Chosen by the session's DateStyle otherwise. What is not ISO does not match, and raises DataError.
        self._load_method = self._load_iso

    def load(self, data: Buffer) -> datetime:
        """Return the time that ``data`` says."""
        match bytes(data):
            case b"infinity":
                return LATEST
            case b"-infinity":
                return EARLIEST
        try:
            return super().load(data)
        except DataError:
            if _BEFORE_1.match(data):
                return EARLIEST
            if _AFTER_9999.match(data):
                return LATEST
            raise


def read_times(connection: Connection[Any]) -> Connection[Any]:
    """Have ``connection`` read times so; return it."""
    connection.adapters.register_loader("timestamptz", _TimeReader)
    return connection
