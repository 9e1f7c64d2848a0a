"""The columns that loads add to the rows they write, by ``load_columns_policy`` and ``delete_policy``.

They say who wrote a row, and whether it is gone, not what the row is: no comparison of rows looks at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import DeletePolicy, LoadColumnsPolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused

#: ``historical_metadata.id`` of the load that wrote the row last, and when that load began.
LOAD_ID, LOADED_AT = "_adl_load_id", "_adl_loaded_at"

#: Since when the source does not have the row any more; NULL: it has it.
DELETED_AT = "_adl_deleted_at"

#: Delta type by name: of the columns of load_columns_policy, and of all that are ours.
LOAD_COLUMNS: Mapping[str, str] = {LOAD_ID: "bigint", LOADED_AT: "timestamp"}
OWN_COLUMNS: Mapping[str, str] = {**LOAD_COLUMNS, DELETED_AT: "timestamp"}

#: Load column to its value in every row that one write writes.
Stamp = Mapping[str, int | datetime | None]


def is_load_column(name: str) -> bool:
    """Return whether a target's column is one of the loads' own."""
    return name.casefold() in OWN_COLUMNS


def refuse_collision(
    columns: Iterable[PlannedColumn], load_columns: LoadColumnsPolicy, deletes: DeletePolicy
) -> None:
    """Raise ConfigurationError if the source has a column by the name of one that a policy needs."""
    needed: dict[str, tuple[str, str]] = {}
    if load_columns is not LoadColumnsPolicy.NONE:
        needed |= dict.fromkeys(LOAD_COLUMNS, ("load_columns_policy", "none"))
    if deletes is not DeletePolicy.IGNORE:
        needed[DELETED_AT] = ("delete_policy", "ignore")
    for column in columns:
        if column.name.casefold() in needed:
            policy, off = needed[column.name.casefold()]
            raise ConfigurationError(
                f"The source has a column {column.source_name!r}, a name that {policy} needs.",
                field=policy,
                fix=f"set it to {off}, or give the source's column another name with AS in query",
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


def mark_for(policy: DeletePolicy, held: Mapping[str, str]) -> Stamp:
    """Return the mark of rows that a load writes into a table of the columns ``held``: not deleted.

    Also where marks were given up and the table still has them. Raises SchemaRefused for a column of another
    type.
    """
    wanted = OWN_COLUMNS[DELETED_AT]
    kind = {name.casefold(): kind for name, kind in held.items()}.get(DELETED_AT)
    if policy is DeletePolicy.SOFT and kind not in (None, wanted):
        raise SchemaRefused(
            f"Column {DELETED_AT} is {kind} at the target, and delete_policy writes {wanted}.",
            field="delete_policy",
            fix="rename or drop the column at the target, or set the policy to scan or ignore",
        )
    return {DELETED_AT: None} if policy is DeletePolicy.SOFT or kind == wanted else {}


def unmarked(held: Mapping[str, str], columns: Iterable[PlannedColumn]) -> str | None:
    """Return the predicate, in the SQL of targets, of the rows that are not marked as gone.

    ``held``: the table's columns, name to type; ``columns``: the source's, one of which by the mark's name is
    data like any other. None: the table can have no marks.
    """
    if any(column.name.casefold() == DELETED_AT for column in columns):
        return None
    kind = {name.casefold(): kind for name, kind in held.items()}.get(DELETED_AT)
    return f"{DELETED_AT} IS NULL" if kind == OWN_COLUMNS[DELETED_AT] else None
