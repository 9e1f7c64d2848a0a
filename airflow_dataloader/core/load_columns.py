"""The columns that loads add to the rows they write, by ``load_columns_policy``.

They say who wrote a row, not what the row is: no comparison of rows looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import LoadColumnsPolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused

#: ``historical_metadata.id`` of the load that wrote the row last, and when that load began.
LOAD_ID, LOADED_AT = "_adl_load_id", "_adl_loaded_at"

#: Delta type by name.
LOAD_COLUMNS: Mapping[str, str] = {LOAD_ID: "bigint", LOADED_AT: "timestamp"}

#: Load column to its value in every row that one write writes.
Stamp = Mapping[str, int | datetime | None]


def is_load_column(name: str) -> bool:
    """Return whether a target's column is one of the loads' own."""
    return name.casefold() in LOAD_COLUMNS


def refuse_collision(columns: Iterable[PlannedColumn]) -> None:
    """Raise ConfigurationError if the source has a column of the same name."""
    for column in columns:
        if is_load_column(column.name):
            raise ConfigurationError(
                f"The source has a column {column.source_name!r}, a name that load_columns_policy needs.",
                field="load_columns_policy",
                fix="set it to none, or give the source's column another name with AS in query",
            )


def stamp_for(
    policy: LoadColumnsPolicy, held: Mapping[str, str], *, load_id: int, loaded_at: datetime
) -> Stamp:
    """Return what a load writes into the load columns of a table of the columns ``held``, name to type.

    Where the policy was switched off, NULL goes into those that the table still has: a row that is updated
    must not go on naming a load that did not write it. Raises SchemaRefused for a column of another type.
    """
    types = {name.casefold(): kind for name, kind in held.items()}
    if policy is LoadColumnsPolicy.NONE:
        return {name: None for name, kind in LOAD_COLUMNS.items() if types.get(name) == kind}
    for name, kind in LOAD_COLUMNS.items():
        if types.get(name, kind) != kind:
            raise SchemaRefused(
                f"Column {name} is {types[name]} at the target, and load_columns_policy writes {kind}.",
                field="load_columns_policy",
                fix="rename or drop the column at the target, or set the policy to none",
            )
    return {LOAD_ID: load_id, LOADED_AT: loaded_at}
