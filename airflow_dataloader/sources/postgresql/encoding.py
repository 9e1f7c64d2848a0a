"""The canonical text of a row (:mod:`airflow_dataloader.core.encoding`) in PostgreSQL's SQL."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.encoding import DIGITS, NULL, Family, family
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.sources.postgresql.quoting import literal


def canonical(column: PlannedColumn) -> str:
    """Return the expression of a planned column's canonical text, or of NULL."""
    x = column.select
    match family(column.type):
        case Family.NUMBER if column.type.startswith("decimal"):
            return f"CAST(trim_scale({x}) AS text)"
        case Family.FLOAT:
            return _base_16(x)
        case Family.BINARY:
            return f"encode({x}, 'hex')"
        case Family.TEXT:
            # A cast would cut the padding of a char(n) off; concat makes an empty text of NULL.
            return f"CASE WHEN {x} IS NOT NULL THEN concat({x}) END"
        case _:
            # Dates and times travel as integers already.
            return f"CAST({x} AS text)"


def order(column: PlannedColumn) -> str:
    """Return the expression that puts a column's values into the order that the engine has, too."""
    return f'{canonical(column)} COLLATE "C"' if family(column.type) is Family.TEXT else column.select


def value(text: str, column: PlannedColumn) -> str:
    """Return a canonical text as a value of :func:`order`."""
    if family(column.type) is Family.TEXT:
        return f"CAST({literal(text)} AS text)"
    return f"CAST({literal(text)} AS {'numeric' if column.type.startswith('decimal') else 'int8'})"


def framed(texts: Sequence[str]) -> str:
    """Return the expression of a row's text, made of its columns' texts.

    An array, since a function takes a hundred arguments and a table may have more columns.
    """
    parts = ", ".join(f"coalesce(length({text}) || ':' || {text}, '{NULL}')" for text in texts)
    return f"array_to_string(ARRAY[{parts}], '')"


def hashed(text: str) -> str:
    """Return the expression of a text's sha256, in hexadecimal digits."""
    return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"


def number(digest: str, place: int) -> str:
    """Return the expression of the 60-bit number number ``place`` of a sha256."""
    return f"CAST(CAST('x' || substr({digest}, {place * DIGITS + 1}, {DIGITS}) AS bit(60)) AS int8)"


def _base_16(x: str) -> str:
    """Write a float from its bits: sign and exponent are the first three digits, the rest is the fraction."""
    digits = f"encode(float8send({x}), 'hex')"
    head = f"CAST(CAST('x' || substr({digits}, 1, 3) AS bit(12)) AS int4)"
    fraction = f"rtrim(substr({digits}, 4), '0')"
    sign = f"CASE WHEN {head} >= 2048 THEN '-' ELSE '' END"
    exponent = f"{head} % 2048"
    return (
        f"CASE WHEN {x} IN ('NaN', 'Infinity', '-Infinity') THEN CAST({x} AS text) "
        f"WHEN {exponent} = 0 AND {fraction} = '' THEN {sign} || '0x0.0p0' "
        f"WHEN {exponent} = 0 THEN {sign} || '0x0.' || {fraction} || 'p-1022' "
        f"ELSE {sign} || '0x1.' || coalesce(nullif({fraction}, ''), '0') || 'p' || ({exponent} - 1023) END"
    )
