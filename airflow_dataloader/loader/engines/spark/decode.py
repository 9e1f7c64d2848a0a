"""From the wire form of a source's column to its planned type, as Spark SQL."""

from __future__ import annotations

from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.plan import PlannedColumn, Wire


def decoded(number: int, column: PlannedColumn) -> str:
    """Return the select item that turns ``c<number>`` into the planned column.

    Every item is a function or a cast, never a bare column: that drops the metadata that a JDBC read puts
    on its columns. VARCHAR lengths in it would go into the table and reject longer values later. A cast to
    the type that the value already has costs nothing.
    """
    wire = f"`c{number}`"
    match column.wire:
        case Wire.NATIVE:
            value = f"CAST({wire} AS {column.type})"
        case Wire.EPOCH_DAYS:
            value = f"DATE_FROM_UNIX_DATE(CAST({wire} AS INT))"
        case Wire.EPOCH_MICROS:
            value = f"TIMESTAMP_MICROS(CAST({wire} AS BIGINT))"
        case Wire.WALL_MICROS:
            # The session's zone is UTC, so the wall clock comes back as it was sent.
            value = f"CAST(TIMESTAMP_MICROS(CAST({wire} AS BIGINT)) AS TIMESTAMP_NTZ)"
    return f"{value} AS {quoted(column.name)}"
