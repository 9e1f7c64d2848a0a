"""Finding columns by the names that people wrote, the same for every source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from airflow_dataloader.core.names import collisions, column_name
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import ConfigurationError


def find_column(columns: Sequence[PlannedColumn], name: str, *, field: str) -> PlannedColumn:
    """Return the column that the source calls ``name``: exactly, else the only one without regard to case.

    Raises ConfigurationError naming ``field``, the missing column and similar ones.
    """
    for column in columns:
        if column.source_name == name:
            return column
    folded = name.casefold()
    similar = [column for column in columns if column.source_name.casefold() == folded]
    if len(similar) == 1:
        return similar[0]
    if similar:
        spelled = " and ".join(repr(column.source_name) for column in similar)
        raise ConfigurationError(
            f"{field} names column {name!r}, and the source has {spelled}.",
            field=field,
            fix="spell the column exactly as the source does",
        )
    names = [column.source_name for column in columns]
    close = get_close_matches(name, names, n=3) or names[:5]
    raise ConfigurationError(
        f"{field} names column {name!r}, which the source does not have.",
        field=field,
        fix=f"use a column of the source, for example {', '.join(repr(other) for other in close)}",
    )


def refuse_collisions(names: Iterable[str]) -> None:
    """Raise ConfigurationError if two source columns would share one name at the target."""
    for first, second in collisions(names):
        raise ConfigurationError(
            f"Columns {first!r} and {second!r} would both be called {column_name(second)!r} at the target, "
            "which compares names without case.",
            field="query",
            fix="select the columns in query, and give one of the two another name with AS",
        )
