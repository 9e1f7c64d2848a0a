"""Puts the load columns beside the rows of a write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_dataloader.core.load_columns import OWN_COLUMNS, Stamp
from airflow_dataloader.core.names import quoted
from airflow_dataloader.loader.engines.spark.sql import select

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp_types(stamp: Stamp) -> dict[str, str]:
    """Return the load columns that a write brings, name to type."""
    return {name: OWN_COLUMNS[name] for name in stamp}


def stamp_items(stamp: Stamp) -> list[str]:
    """Return their select items."""
    return [
        f"CAST({_literal(value)} AS {OWN_COLUMNS[name]}) AS {quoted(name)}" for name, value in stamp.items()
    ]


def stamped(query: str, stamp: Stamp) -> str:
    """Return the rows of a query with the load columns beside their own."""
    return select(", ".join(["*", *stamp_items(stamp)]), query) if stamp else query


def _literal(value: int | datetime | None) -> str:
    if isinstance(value, datetime):
        return f"TIMESTAMP_MICROS({(value - _EPOCH) // timedelta(microseconds=1)})"
    return "NULL" if value is None else str(value)
