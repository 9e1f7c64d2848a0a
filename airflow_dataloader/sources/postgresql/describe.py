"""What PostgreSQL says about a relation's columns, a table's and a query's alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dataloader.sources.dialect import DescribedColumn

#: Arrays in the catalogue that have no JSON form worth the name.
_VECTORS = frozenset({"int2vector", "oidvector"})


@dataclass(frozen=True, kw_only=True)
class ResultColumn:
    """One column of a statement's result, as the protocol describes it: domains are their base types."""

    name: str
    type_oid: int
    modifier: int


def describe_sql(relation: str) -> str:
    """Return the statement whose result has the relation's columns and no rows."""
    return f"SELECT * FROM {relation} LIMIT 0"


def types_sql(columns: Sequence[ResultColumn]) -> str:
    """Return the query that names the columns' types, one row a column, in order."""
    pairs = ", ".join(
        f"({number}, {column.type_oid}::oid, {column.modifier})" for number, column in enumerate(columns)
    )
    return (
        "SELECT t.typname::text, n.nspname = 'pg_catalog', t.typcategory = 'A', "
        "format_type(c.type, c.modifier) "
        f"FROM (VALUES {pairs}) AS c(number, type, modifier) "
        "JOIN pg_type AS t ON t.oid = c.type JOIN pg_namespace AS n ON n.oid = t.typnamespace "
        "ORDER BY c.number"
    )


def described(
    columns: Sequence[ResultColumn], types: Sequence[tuple[Any, ...]]
) -> tuple[DescribedColumn, ...]:
    """Join the result's columns with the rows of :func:`types_sql`."""
    return tuple(
        DescribedColumn(
            name=column.name,
            # A type that somebody made may share a built-in's name, and nothing else.
            base=base if built_in else declared,
            declared=declared,
            modifier=column.modifier,
            array=in_array_category and base not in _VECTORS,
        )
        for column, (base, built_in, in_array_category, declared) in zip(columns, types, strict=True)
    )
