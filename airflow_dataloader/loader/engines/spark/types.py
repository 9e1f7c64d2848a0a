"""Spark's type names, as far as the engine has to know them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.spark.names import quoted

_DECIMAL = re.compile(r"decimal\((\d+),\s*(-?\d+)\)")
#: Integer types by the decimal digits that their largest value needs.
_INTEGER_DIGITS: Mapping[str, int] = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def fits(narrow: str, wide: str) -> bool:
    """Return whether every value of type ``narrow`` is exactly a value of type ``wide``."""
    if narrow == wide or (narrow, wide) == ("float", "double"):
        return True
    if narrow in _INTEGER_DIGITS and wide in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[narrow] <= _INTEGER_DIGITS[wide]
    inner, outer = _digits(narrow), _digits(wide)
    if inner is None or outer is None or wide in _INTEGER_DIGITS:
        return False
    return inner[0] <= outer[0] and inner[1] <= outer[1]


def widens(narrow: str, wide: str) -> bool:
    """Return whether a column of type ``narrow`` can become one of type ``wide`` where it stands.

    Delta asks for more room than the values need where an integer becomes a decimal, and where there is less,
    a merge cuts the new values without a word.
    """
    if not fits(narrow, wide):
        return False
    outer = _digits(wide)
    if narrow not in _INTEGER_DIGITS or wide in _INTEGER_DIGITS or outer is None:
        return True
    return outer[0] >= (20 if narrow == "bigint" else 10)


def _digits(type_name: str) -> tuple[int, int] | None:
    """Return the digits before and after the point, or None if the type is not an exact number."""
    if type_name in _INTEGER_DIGITS:
        return _INTEGER_DIGITS[type_name], 0
    match = _DECIMAL.fullmatch(type_name)
    return (int(match[1]) - int(match[2]), int(match[2])) if match else None


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

    def select(self, column: PlannedColumn, qualifier: str = "") -> str:
        """Return the select item that brings a planned column to the type it has at the target."""
        name = quoted(column.name)
        wanted = self.types[column.name]
        if wanted == column.type:
            return f"{qualifier}{name}"
        return f"CAST({qualifier}{name} AS {wanted}) AS {name}"


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
            raise SchemaRefused(
                f"Column {column.name} is {kind} at the target and {column.type} at the source "
                f"({column.source_type}), and the column cannot become one that holds both.",
                field=column.name,
                fix="set load_full = 'true' on the row to replace the table once with the source's types",
            )
    return Fit(types=types, added=frozenset(added), widened=frozenset(widened))
