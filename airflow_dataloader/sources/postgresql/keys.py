"""Keys that the source calls equal must be equal at the target, which compares what was kept of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import DescribedColumn
from airflow_dataloader.sources.postgresql.types import is_cast_to_text

#: Types with values that are equal and yet have several texts: ``24 hours`` is ``1 day``.
_LOOSE = frozenset({"interval", "citext", "jsonb", "numrange", "nummultirange"})

#: Those whose values are kept as such, and as texts only where they stand in an array or a composite.
_LOOSE_IN_ARRAYS = frozenset({"numeric", "float4", "float8", "bpchar", *_LOOSE})

#: Types with the same texts for the same values, by the one that stands for them.
_ALIKE = {
    "varchar": "text",
    "name": "text",
    "char": "text",
    "citext": "text",
    "int2": "int8",
    "int4": "int8",
}

#: Follows a type in a spelling where values are kept as the type's own cast to text makes them.
_CAST = "::text"

#: Types that fill their values up to a length.
_PADDED = frozenset({"bpchar", "bit"})


def refuse_loose_keys(described: Sequence[DescribedColumn], keys: Collection[str]) -> None:
    """Raise ConfigurationError for a key column whose type has several texts for equal values.

    A row that is spelled anew at the source would come as a second row.
    """
    names = {name.casefold() for name in keys}
    for column in described:
        if column.name.casefold() in names and _is_loose(column):
            raise ConfigurationError(
                f"Key column {column.name!r} is of type {column.declared}, in which values that are spelled "
                "differently are equal: the target could not tell that they are one row.",
                field="primary_key_cols",
                fix="name another key, or select one spelling of it in query, "
                "for example lower(name::text) or extract(epoch FROM span)",
            )


def in_one_spelling(column: DescribedColumn, x: str) -> str:
    """Return the SQL expression ``x`` of a key column so that equal values have one text."""
    return f"trim_scale({x})" if column.base == "numeric" else x


def key_spelling(column: DescribedColumn) -> str:
    """Return what a value's text depends on: the type, without what makes no difference to texts."""
    name = _type_name(column)
    kind = column.declared.removesuffix("[]") if name in _PADDED else _ALIKE.get(name, name)
    if column.array:
        return f"{kind}[]"
    return f"{kind}{_CAST}" if kind != "text" and is_cast_to_text(column) else kind


def keeps_texts(before: str, now: str) -> bool:
    """Return whether values have the same texts by both; a column that is made ``text`` is cast to it."""
    return now == before or (now == "text" and before.endswith(_CAST))


def _is_loose(column: DescribedColumn) -> bool:
    name = _type_name(column)
    if column.array and name in _LOOSE_IN_ARRAYS:
        return True
    # What stands in something else is kept as a text of it, as in an array.
    if not _LOOSE_IN_ARRAYS.isdisjoint(_bare(part) for part in column.parts):
        return True
    return not column.array and (name in _LOOSE or (name == "bpchar" and column.modifier < 0))


def _type_name(column: DescribedColumn) -> str:
    """Return the type's bare name, of an array its elements'."""
    name = _bare(column.base)
    return name.removeprefix("_").removesuffix("[]") if column.array else name


def _bare(name: str) -> str:
    """Return a type's name without its schema: an extension's has one where that is not searched."""
    return name.rpartition(".")[2]
