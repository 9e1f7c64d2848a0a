"""From the smallest to the largest value of a staged column: what a comparison reads of a target."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.core.names import quoted

#: Type to what carries a value exactly out of Spark and back again as a literal; ``{}`` is the value.
_CARRIED = {
    "date": ("UNIX_DATE({})", "DATE_FROM_UNIX_DATE({})"),
    "timestamp": ("UNIX_MICROS({})", "TIMESTAMP_MICROS({})"),
    "timestamp_ntz": ("UNIX_MICROS(CAST({} AS TIMESTAMP))", "CAST(TIMESTAMP_MICROS({}) AS TIMESTAMP_NTZ)"),
}
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "decimal(")


def extremes(column: str, kind: str) -> list[str]:
    """Return the aggregates that :func:`between` needs, or none for a type that has no such range.

    Text may be long, and floats have values that no range holds.
    """
    carried = _carried(kind)
    return (
        [carried[0].format(f"{extreme}({quoted(column)})") for extreme in ("MIN", "MAX")] if carried else []
    )


def between(column: str, kind: str, lowest: Any, highest: Any) -> str:
    """Return the condition that ``column`` lies between two answers of :func:`extremes`; None: no values."""
    carried = _carried(kind)
    if carried is None:
        return "TRUE"
    if lowest is None:
        return "FALSE"
    low, high = (carried[1].format(value) for value in (lowest, highest))
    return f"{quoted(column)} BETWEEN {low} AND {high}"


def _carried(kind: str) -> tuple[str, str] | None:
    if kind.startswith(_NUMBERS):
        return "CAST({} AS STRING)", f"CAST('{{}}' AS {kind})"
    return _CARRIED.get(kind)
