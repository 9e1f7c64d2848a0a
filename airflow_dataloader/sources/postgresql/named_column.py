"""A column that a row names for a purpose that not every type can serve."""

from __future__ import annotations

from collections.abc import Container, Sequence

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.columns import find_column
from airflow_dataloader.sources.model import DescribedColumn


def named_column(
    described: Sequence[DescribedColumn],
    columns: Sequence[PlannedColumn],
    name: str | None,
    *,
    field: str,
    bases: Container[str],
    unfit: str,
    fix: str,
) -> tuple[PlannedColumn, DescribedColumn]:
    """Return the column as it is planned and as the source describes it.

    Raises ConfigurationError naming ``field`` where there is no such column, or its type is none of
    ``bases``; ``unfit`` then says what such a column cannot do.
    """
    planned = find_column(columns, name or "", field=field)
    column = described[columns.index(planned)]
    if column.array or column.base not in bases:
        raise ConfigurationError(
            f"Column {column.name!r} is {column.declared}, which {unfit}.", field=field, fix=fix
        )
    return planned, column
