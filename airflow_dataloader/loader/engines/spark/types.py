"""Spark's type names, as far as the engine has to know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_dataloader.core.delta_types import fits, widens
from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.schema_change import misfit


def identity(column_sql: str, type_name: str) -> str:
    """Return an expression that tells two values apart exactly when they are not the same value.

    Spark calls -0.0 and 0.0 equal; their texts differ, and NaN's does not. Maps cannot be compared at all.
    """
    if any(part in type_name for part in ("float", "double", "map<")):
        return f"CAST({column_sql} AS STRING)"
    return column_sql


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How planned columns go into an existing table."""

    #: Type by planned name that the column has at the target in the end.
    types: Mapping[str, str]
    #: Planned names that the target does not have yet.
    added: frozenset[str] = frozenset()
    #: Planned names whose type at the target becomes the wider, planned one.
    widened: frozenset[str] = frozenset()

    def select(self, column: PlannedColumn) -> str:
        """Return the select item that brings a planned column to the type it has at the target."""
        name = quoted(column.name)
        wanted = self.types[column.name]
        if wanted == column.type:
            return name
        return f"CAST({name} AS {wanted}) AS {name}"

    def held(self, name: str, qualifier: str = "") -> str:
        """Return the expression of the target's own column in the type that it has in the end."""
        column = f"{qualifier}{quoted(name)}"
        return f"CAST({column} AS {self.types[name]})" if name in self.widened else column


def fit(columns: tuple[PlannedColumn, ...], target: Mapping[str, str]) -> Fit:
    """Return how ``columns`` go into ``target`` (name to type), or raise SchemaRefused naming the column."""
    existing = {name.casefold(): kind for name, kind in target.items()}
    types, added, widened = {}, set(), set()
    for column in columns:
        kind = existing.get(column.name.casefold())
        types[column.name] = column.type
        if kind is None:
            added.add(column.name)
        elif fits(column.type, kind):
            types[column.name] = kind
        elif widens(kind, column.type):
            widened.add(column.name)
        else:
            raise misfit({column.name: column}, {column.name: kind})
    return Fit(types=types, added=frozenset(added), widened=frozenset(widened))
