"""The canonical text of a row (:mod:`airflow_dataloader.core.encoding`) in Spark SQL."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.comparison import Parts
from airflow_dataloader.core.encoding import DIGITS, NULL, Family, family
from airflow_dataloader.loader.engines.target_sql import text_literal

#: What carries date and times as the integers that they are ordered by.
_INTEGERS = {
    Family.DATE: "UNIX_DATE({})",
    Family.INSTANT: "UNIX_MICROS({})",
    # The session's zone is UTC.
    Family.WALL_CLOCK: "UNIX_MICROS(CAST({} AS TIMESTAMP))",
}


def canonical(x: str, type_name: str) -> str:
    """Return the expression of a value's canonical text, or of NULL; ``type_name`` in lower case."""
    match family(type_name):
        case Family.NUMBER if type_name.startswith("decimal") and not type_name.endswith(",0)"):
            return f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST({x} AS STRING)))"
        case Family.FLOAT:
            # The function writes "null" for NULL.
            return f"CASE WHEN {x} IS NOT NULL THEN FORMAT_STRING('%a', CAST({x} AS DOUBLE)) END"
        case Family.BINARY:
            return f"LOWER(HEX({x}))"
        case _:
            return f"CAST({order(x, type_name)} AS STRING)"


def order(x: str, type_name: str) -> str:
    """Return the expression that puts a column's values into the order that the source has, too."""
    return _INTEGERS.get(family(type_name) or Family.TEXT, "{}").format(x)


def framed(texts: Sequence[str]) -> str:
    """Return the expression of a row's text, made of its columns' texts."""
    parts = (f"COALESCE(CONCAT(CAST(LENGTH({text}) AS STRING), ':', {text}), '{NULL}')" for text in texts)
    return f"CONCAT({', '.join(parts)})"


def hashed(text: str) -> str:
    """Return the expression of a text's sha256, in hexadecimal digits."""
    return f"SHA2(CAST({text} AS BINARY), 256)"


def number(digest: str, place: int) -> str:
    """Return the expression of the 60-bit number number ``place`` of a sha256, as a decimal."""
    return f"CAST(CONV(SUBSTR({digest}, {place * DIGITS + 1}, {DIGITS}), 16, 10) AS DECIMAL(20, 0))"


def range_number(x: str, parts: Parts) -> str:
    """Return the expression of a value's range; ``x`` is in the form of :func:`order`."""
    assert parts.column is not None, "ranges are ranges of a column"
    begins = [_value(text, parts.column.type) for text in parts.cuts]
    return f"CASE WHEN {x} IS NULL THEN 0 ELSE {_search(x, begins, 0)} END"


def _search(x: str, begins: Sequence[str], number: int) -> str:
    """Compare with the middle one, and so on: a value meets few of the cuts, however many there are."""
    if not begins:
        return str(number)
    middle = len(begins) // 2
    below = _search(x, begins[:middle], number)
    above = _search(x, begins[middle + 1 :], number + middle + 1)
    return f"CASE WHEN {x} < {begins[middle]} THEN {below} ELSE {above} END"


def _value(text: str, type_name: str) -> str:
    kind = family(type_name)
    if kind is Family.TEXT:
        return text_literal(text)
    if kind is Family.NUMBER and type_name.startswith("decimal"):
        return f"CAST('{text}' AS {type_name})"
    return f"CAST('{text}' AS BIGINT)"
