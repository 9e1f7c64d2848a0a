"""From a PostgreSQL type to how its values are kept. What is not listed is kept as its exact text."""

from __future__ import annotations

from collections.abc import Callable, Collection

from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql import datetimes, intervals, numbers
from airflow_dataloader.sources.postgresql.type_rule import TypeRule

#: Types that driver, engine and target agree on: SQL type and Delta type.
_NATIVE = {
    "bool": ("bool", "boolean"),
    "int2": ("int2", "smallint"),
    "int4": ("int4", "int"),
    "int8": ("int8", "bigint"),
    "float4": ("float4", "float"),
    "float8": ("float8", "double"),
    "text": ("text", "string"),
    "varchar": ("text", "string"),
    # A cast would cut the padding off.
    "bpchar": ("bpchar", "string"),
    "bytea": ("bytea", "binary"),
}

#: Elements of arrays that may be NULL or the JSON value null, and the function that tells.
_JSON_ELEMENTS = {"json": "json_typeof", "jsonb": "jsonb_typeof"}

_RULES: dict[str, Callable[[str], TypeRule]] = {
    "date": datetimes.date,
    "timestamp": datetimes.timestamp,
    "timestamptz": datetimes.timestamptz,
    "money": numbers.money,
    "interval": intervals.interval,
    "oid": lambda x: TypeRule(value=f"{x}::int8", sql_type="int8", type="bigint"),
    # The cast to text would add /32 to a single address.
    "inet": lambda x: TypeRule(value=f"abbrev({x})", sql_type="text", type="string"),
}


def keep(column: DescribedColumn, x: str) -> TypeRule:
    """Return how the values of SQL expression ``x``, of the column's type, are kept."""
    if column.array:
        return _array(x, column.parts)
    if column.base in _NATIVE:
        sql_type, target = _NATIVE[column.base]
        return TypeRule(value=x, sql_type=sql_type, type=target)
    if column.base == "numeric":
        return numbers.numeric(x, column.modifier)
    if column.base in _RULES:
        return _RULES[column.base](x)
    return as_text(x)


def is_cast_to_text(column: DescribedColumn) -> bool:
    """Return whether values are kept as what the source's own cast to text makes of them."""
    rules = (*_NATIVE, *_RULES, "numeric")
    return not column.array and column.base not in rules


def as_text(x: str) -> TypeRule:
    """Keep the source's own text of a value."""
    return TypeRule(value=f"{x}::text", sql_type="text", type="string")


def _array(x: str, parts: Collection[str]) -> TypeRule:
    """Keep an array as JSON, which cannot say that an array does not begin at 1, nor tell its two nulls."""
    # Dimensions have the collation of the elements, and LIKE knows none that takes unequal texts for equal.
    kept = f"coalesce(replace(array_dims({x}) COLLATE \"C\", '[1:', '') NOT LIKE '%[%', true)"
    for element in _JSON_ELEMENTS.keys() & parts:
        null = f"SELECT FROM unnest({x}) AS element WHERE {_JSON_ELEMENTS[element]}(element) = 'null'"
        kept += f" AND NOT EXISTS ({null})"
    return TypeRule(value=f"to_json({x})::text", sql_type="text", type="string", kept=kept)
