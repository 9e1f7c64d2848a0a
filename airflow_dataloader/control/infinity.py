"""PostgreSQL's ``infinity`` as a time that Python can hold.

``paused_until`` and ``next_load_date_time`` may be ``infinity``; psycopg would refuse to read such a row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader

LATEST = datetime.max.replace(tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)


class _Loader(TimestamptzLoader):
    """Reads ``infinity`` as the latest time that Python has, ``-infinity`` as the earliest."""

    def load(self, data: Buffer) -> datetime:
        """Return the time that ``data`` says."""
        match bytes(data):
            case b"infinity":
                return LATEST
            case b"-infinity":
                return EARLIEST
        return super().load(data)


def read_infinity(connection: Connection[Any]) -> Connection[Any]:
    """Have ``connection`` read infinite times; return it."""
    connection.adapters.register_loader("timestamptz", _Loader)
    return connection
