"""Columns of a source as a load plans them, for tests that look at names and types only."""

from __future__ import annotations

from airflow_dataloader.core.names import column_name
from airflow_dataloader.core.plan import PlannedColumn, Wire


def column(name: str, kind: str = "int", *, source_type: str | None = None) -> PlannedColumn:
    """Return a column of a source; ``kind``: its Delta type, and the source's own where that is not given."""
    return PlannedColumn(
        source_name=name,
        name=column_name(name),
        select=f'"{name}"',
        wire=Wire.NATIVE,
        type=kind,
        source_type=source_type or kind,
    )
