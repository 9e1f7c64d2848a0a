"""Keys that the source calls equal must be equal at the target, which compares what was kept of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.numbers import precision_and_scale
from airflow_dataloader.sources.postgresql.quoting import quote
from airflow_dataloader.sources.postgresql.types import is_cast_to_text

#: Types with values that are equal and yet have several texts: ``24 hours`` is ``1 day``.
_LOOSE = frozenset({"interval", "citext", "jsonb", "numrange", "nummultirange"})

#: Those whose values are kept as such, and as texts only where they stand in an array or a composite.
_LOOSE_IN_ARRAYS = frozenset({"numeric", "float4", "float8", "bpchar", *_LOOSE})

#: Types whose texts are names of what their values point at: what is renamed has another, and nothing of the
#: row has changed.
_NAMES = frozenset(
    {
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
    }
)

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

#: Precedes the decimals of a number that is written with so many of them.
_SCALE = "/"
_ANY = "any"
#: With as many as the value needs: a key's, of which equal values have one text.
_FEWEST = "fewest"
_IN_WORDS = {_ANY: " with any number of decimals", _FEWEST: " without closing zeros"}
_DECIMALS = re.compile(rf"{_SCALE}(-?\d+|{_ANY}|{_FEWEST})(?=\[\]|{_CAST}|$)")

#: Precedes what a type was made of: see `describe.py`. No name of a type has such a character.
_DEFINITION = "\x1f"

#: Types that fill their values up to a length.
_PADDED = frozenset({"bpchar", "bit"})


def refuse_ambiguous_keys(described: Sequence[DescribedColumn], keys: Collection[str]) -> None:
    """Raise ConfigurationError for a key column whose type has several texts for equal values.

    A row that is spelled anew at the source would come as a second row.
    """
    names = {name.casefold() for name in keys}
    for column in described:
        if column.name.casefold() not in names:
            continue
        if _is_ambiguous(column):
            raise _no_key(
                column,
                "in which values that are spelled differently are equal",
                "select one spelling of it in query, "
                "for example lower(name::text) or extract(epoch FROM span)",
            )
        if not _NAMES.isdisjoint({_type_name(column), *map(_bare, column.parts)}):
            raise _no_key(
                column,
                "whose values are spelled otherwise once what they point at was renamed",
                f"select its number in query, for example {quote(column.name)}::oid::bigint",
            )


def _no_key(column: DescribedColumn, why: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"Key column {column.name!r} is of type {column.declared}, {why}: the target could not tell that "
        "they are one row.",
        field="primary_key_cols",
        fix=f"name another key, or {fix}",
    )


def in_one_spelling(column: DescribedColumn, x: str) -> str:
    """Return the SQL expression ``x`` of a key column so that equal values have one text."""
    return f"trim_scale({x})" if column.base == "numeric" else x


def key_spelling(column: DescribedColumn, *, whole: bool) -> str:
    """Return what a value's text depends on: the type, without what makes no difference to texts.

    ``whole``: of a column of rows that are compared as a whole, whose numbers keep their spelling.
    """
    name = _type_name(column)
    kind = column.declared.removesuffix("[]") if name in _PADDED else _ALIKE.get(name, name)
    if name == "numeric":
        kind += f"{_SCALE}{_decimals(column) if whole else _FEWEST}"
    if column.array:
        kind += "[]"
    elif kind != "text" and is_cast_to_text(column):
        kind += _CAST
    return kind + (f"{_DEFINITION}{column.definition}" if column.definition else "")


def keeps_texts(before: str, now: str) -> bool:
    """Return whether values have the same texts by both; a column that is made ``text`` is cast to it."""
    (old, defined), (new, defined_now) = (one.partition(_DEFINITION)[::2] for one in (before, now))
    decimals, decimals_now = _DECIMALS.search(old), _DECIMALS.search(new)
    if new == "text" and (old.endswith(_CAST) or (decimals and old == f"numeric{decimals[0]}")):
        return decimals is None or decimals[1] != _FEWEST
    if _DECIMALS.sub("", new) != _DECIMALS.sub("", old):
        return False
    if decimals and decimals_now and not _keeps_decimals(decimals[1], decimals_now[1]):
        return False
    return not (defined and defined_now) or _still_means(defined, defined_now)


def describe_spelling(spelling: str) -> str:
    """Return a spelling for a person."""
    kind, _, definition = spelling.partition(_DEFINITION)
    said = _DECIMALS.sub(lambda found: _IN_WORDS.get(found[1], f" with {found[1]} decimals"), kind)
    said = said.removesuffix(_CAST)
    return f"{said} as it was defined then" if definition else said


def _keeps_decimals(before: str, now: str) -> bool:
    """Return whether numbers have the decimals that they had, as where their column wants any number now.

    Those of a key have lost their last zeros, if they had any.
    """
    if _FEWEST in {now, before}:
        return now == before or _has_none(now) or _has_none(before)
    return now in {before, _ANY}


def _has_none(decimals: str) -> bool:
    return decimals not in {_ANY, _FEWEST} and int(decimals) <= 0


def _decimals(column: DescribedColumn) -> int | str:
    return precision_and_scale(column.modifier)[1] if column.modifier >= 0 else _ANY


def _still_means(before: str, now: str) -> bool:
    """Return whether types have the fields that they had, and no value that they had has another name.

    A value that was added or removed renames no other. Of a type with very many, none are listed here.
    """
    (fields, labels), (fields_now, labels_now) = (one.split(":", 1) for one in (before, now))
    had, have = (set(filter(None, one.split(","))) for one in (labels, labels_now))
    return fields == fields_now and (not had or not have or had <= have or have <= had)


def _is_ambiguous(column: DescribedColumn) -> bool:
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
