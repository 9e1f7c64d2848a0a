"""Which columns of source and target can be compared, and what is to be said of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from airflow_dataloader.core.encoding import family
from airflow_dataloader.core.load_columns import is_load_column
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import SchemaPolicy


@dataclass(frozen=True, kw_only=True)
class Match:
    """How the columns of both sides fit."""

    #: Columns whose values have the same text on both sides wherever they are equal.
    columns: tuple[PlannedColumn, ...]
    #: One sentence for each column that only one side has, or that holds another kind of values there.
    differences: tuple[str, ...]
    #: One sentence for each column that is rightly not alike.
    notes: tuple[str, ...]
    #: Source's names of the columns that loads leave out by the row's policy.
    ignored: frozenset[str]


def match(planned: Sequence[PlannedColumn], target: Mapping[str, str], policy: SchemaPolicy) -> Match:
    """Compare the columns that a load would make with those that the target has, name to type."""
    held = {name.casefold(): kind for name, kind in target.items()}
    columns: list[PlannedColumn] = []
    differences: list[str] = []
    notes: list[str] = []
    ignored: set[str] = set()
    for column in planned:
        kind = held.pop(column.name.casefold(), None)
        if kind is None:
            sentence = f"Column {column.name} is not at the target."
            if policy is SchemaPolicy.IGNORE:
                ignored.add(column.source_name)
                notes.append(sentence)
            else:
                differences.append(sentence)
        elif family(kind) is None or family(kind) is not family(column.type):
            differences.append(
                f"Column {column.name} is {kind} at the target and {column.type} at the source "
                f"({column.source_type}): its values were not compared."
            )
        else:
            columns.append(column)
    gone = [name for name in target if name.casefold() in held and not is_load_column(name)]
    notes += [f"Column {name} is only at the target: it was not compared." for name in gone]
    return Match(
        columns=tuple(columns),
        differences=tuple(differences),
        notes=tuple(notes),
        ignored=frozenset(ignored),
    )
