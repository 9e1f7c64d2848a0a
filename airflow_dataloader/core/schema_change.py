"""What a load makes of its target's columns: ``schema_policy``, decided before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_dataloader.core.delta_types import fits, widens
from airflow_dataloader.core.load_columns import is_load_column
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import SchemaPolicy
from airflow_dataloader.exceptions import SchemaRefused

#: What to do where the table must not be replaced.
_CAST = (
    "cast the column in query to the type that the target has; load_full would take older rows away that no "
    "load reads any more"
)


@dataclass(frozen=True, kw_only=True)
class SchemaChange:
    """The target's columns once the load has published, and what becomes of those that only one side has."""

    #: Name to type, in order.
    after: Mapping[str, str]
    #: Source columns that the target gets.
    added: tuple[PlannedColumn, ...] = ()
    #: Source columns that are not loaded, nor read.
    ignored: tuple[PlannedColumn, ...] = ()
    #: Columns that only the target has, and keeps.
    gone: tuple[str, ...] = ()
    #: Whether a write that replaces every row leaves the target its columns.
    keeps_columns: bool = False


def decide(
    columns: Sequence[PlannedColumn],
    target: Mapping[str, str] | None,
    policy: SchemaPolicy,
    *,
    replaces: bool,
    keeps_older: bool = False,
) -> SchemaChange:
    """Return what becomes of the target's columns (name to type; None: there is no target).

    ``replaces``: the load puts a whole new table in the target's place. ``keeps_older``: the target has rows
    that no load reads any more, so that none is to be advised that replaces it. Names are compared without
    case.
    Raises SchemaRefused naming every column that cannot be as the policy asks.
    """
    planned = {column.name: column.type for column in columns}
    if target is None:
        return SchemaChange(after=planned)
    held = {name.casefold(): name for name in target}
    added = tuple(column for column in columns if column.name.casefold() not in held)
    if replaces and policy is SchemaPolicy.EVOLVE:
        return SchemaChange(after=planned, added=added)
    changed = {
        held[column.name.casefold()]: column
        for column in columns
        if column.name.casefold() in held and column.type != target[held[column.name.casefold()]]
    }
    if policy is SchemaPolicy.FREEZE and (added or changed):
        raise _frozen(added, changed, target, keeps_older=keeps_older)
    wider = {name: column for name, column in changed.items() if not fits(column.type, target[name])}
    misfits = {name: column for name, column in wider.items() if not widens(target[name], column.type)}
    if misfits:
        raise misfit(misfits, target, policy, keeps_older=keeps_older)
    after = {**target, **{name: column.type for name, column in wider.items()}}
    known = {name.casefold() for name in planned}
    gone = tuple(name for name in target if name.casefold() not in known and not is_load_column(name))
    if policy is SchemaPolicy.IGNORE:
        return SchemaChange(after=after, ignored=added, gone=gone, keeps_columns=True)
    after |= {column.name: column.type for column in added}
    return SchemaChange(after=after, added=added, gone=gone, keeps_columns=policy is not SchemaPolicy.EVOLVE)


def can_take(target: Mapping[str, str], columns: Sequence[PlannedColumn]) -> bool:
    """Return whether the target has all of ``columns``, some of its types becoming wider."""
    held = {name.casefold(): kind for name, kind in target.items()}
    both = [(column.type, held.get(column.name.casefold())) for column in columns]
    return all(there and (fits(planned, there) or widens(there, planned)) for planned, there in both)


def misfit(
    columns: Mapping[str, PlannedColumn],
    target: Mapping[str, str],
    policy: SchemaPolicy = SchemaPolicy.EVOLVE,
    *,
    keeps_older: bool = False,
) -> SchemaRefused:
    """Return the error for columns (by their names in ``target``) that can hold no more than one side."""
    found = "; ".join(_compared(name, target[name], column) for name, column in columns.items())
    one = len(columns) == 1
    replace = "load_full = 'true' on the row to replace the table once with the source's types"
    evolve = "" if policy is SchemaPolicy.EVOLVE else "schema_policy = 'evolve' and "
    return SchemaRefused(
        f"{found}, and {'the column cannot' if one else 'none of them can'} become one that holds both.",
        field=next(iter(columns.values())).name,
        fix=_CAST if keeps_older else f"set {evolve}{replace}",
    )


def new_key(name: str) -> SchemaRefused:
    """Return the error for a key column that the target does not have yet."""
    return SchemaRefused(
        f"Key column {name} is new: the rows that the target holds cannot be told by it.",
        field="primary_key_cols",
        fix="set load_full = 'true' on the row to replace the table once with the source's columns",
    )


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return in words what a write changed of a table's columns; empty: nothing."""
    old = {name.casefold(): (name, kind) for name, kind in before.items()}
    new = {name.casefold(): (name, kind) for name, kind in after.items()}
    parts = [f"{name} {kind} added" for key, (name, kind) in new.items() if key not in old]
    parts += [
        f"{name} {old[key][1]} became {kind}"
        for key, (name, kind) in new.items()
        if key in old and old[key][1] != kind
    ]
    parts += [f"{name} dropped" for key, (name, _) in old.items() if key not in new]
    return f"Columns of the target: {', '.join(parts)}." if parts else ""


def _frozen(
    added: Sequence[PlannedColumn],
    changed: Mapping[str, PlannedColumn],
    target: Mapping[str, str],
    *,
    keeps_older: bool,
) -> SchemaRefused:
    parts = [f"column {column.name} is new ({column.type}; {column.source_type})" for column in added]
    parts += [_compared(name, target[name], column) for name, column in changed.items()]
    # A narrower type leaves the target's as it is, so that the next load would find the same difference.
    follows = all(widens(target[name], column.type) for name, column in changed.items())
    once = "" if follows else " and load_full = 'true'"
    follow = f"let the target follow once: set schema_policy = 'evolve'{once}, load, and set it back"
    return SchemaRefused(
        f"schema_policy is freeze, and the source's columns are not the target's: {'; '.join(parts)}.",
        field=(*added, *changed.values())[0].name,
        fix="change the source back, leave the column out in query, or "
        + (_CAST if keeps_older and not follows else follow),
    )


def _compared(name: str, kind: str, column: PlannedColumn) -> str:
    return f"Column {name} is {kind} at the target and {column.type} at the source ({column.source_type})"
