"""How large a chunk of a backfill is: a span of time, or a number of rows."""

from __future__ import annotations

from datetime import timedelta

from airflow_dataloader.core.distance import parse_distance
from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.exceptions import ConfigurationError

#: Chunks that a plan has at most. Each is a commit of its own.
MOST_CHUNKS = 100_000

_ROWS = 100_000
_SPAN = timedelta(days=30)
_DAY = timedelta(days=1)


def parse_chunk_size(text: str | None) -> timedelta | int | None:
    """Return the span (``7 days``) or the number of rows (``250000``) that ``text`` means; None for None.

    Raises ValueError with one sentence when it is neither, or nothing at all.
    """
    size = parse_distance(text)
    if size is not None and not size:
        raise ValueError(f"{text!r} is the size of an empty chunk")
    return size


def fitting(asked: timedelta | int | None, kind: CursorType, column: str) -> timedelta | int:
    """Return the size of the chunks that a cursor of type ``kind`` is cut into.

    ``asked`` None: 30 days, or 100,000 rows. Raises ConfigurationError naming the cursor's ``column`` if
    ``asked`` is of the other kind, or cuts days into parts.
    """
    if asked is None:
        return _SPAN if kind.is_time else _ROWS
    wrong = isinstance(asked, timedelta) is not kind.is_time
    if wrong or (isinstance(asked, timedelta) and kind is CursorType.DATE and asked % _DAY):
        what = "a number of rows" if isinstance(asked, int) else "a span of time"
        fix = "write a number of rows, such as '250000'"
        if kind.is_time:
            fix = f"write a span of {'whole days' if kind is CursorType.DATE else 'time'}, such as '7 days'"
        raise ConfigurationError(
            f"chunk_size is {asked}, {what}, by which column {column!r} of type {kind} cannot be cut.",
            field="chunk_size",
            fix=f"{fix}, or leave it empty",
        )
    return asked


def refuse_too_many(chunks: int) -> None:
    """Raise ConfigurationError if a plan has more chunks than it may."""
    if chunks > MOST_CHUNKS:
        raise ConfigurationError(
            f"The source's rows would make more than {MOST_CHUNKS:,} chunks, each a commit of its own.",
            field="chunk_size",
            fix="set it to a larger number of rows or a longer span",
        )
