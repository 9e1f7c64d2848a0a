"""Intervals, as ISO 8601 writes them: ``P1Y2DT3H``, whatever the source's own style."""

from __future__ import annotations

from airflow_dataloader.sources.postgresql.type_rule import TypeRule

_DATE = {"year": "Y", "month": "M", "day": "D"}
_TIME = {"hour": "H", "minute": "M"}


def interval(x: str) -> TypeRule:
    """Keep an ``interval`` as the text that PostgreSQL itself writes by ``IntervalStyle`` iso_8601.

    Not by that setting: by it, a view or query that makes texts of intervals has others than at the source.
    """
    date = ", ".join(_field(x, name, unit) for name, unit in _DATE.items())
    time = ", ".join(_field(x, name, unit) for name, unit in _TIME.items())
    second = f"rtrim(rtrim(round(extract(second FROM {x})::numeric, 6)::text, '0'), '.')"
    time = f"nullif(concat('T', {time}, nullif({second}, '0') || 'S'), 'T')"
    text = f"coalesce(nullif(concat('P', {date}, {time}), 'P'), 'PT0S')"
    # Infinite ones have no fields, and the same text by every style.
    return TypeRule(
        value=f"CASE WHEN isfinite({x}) THEN {text} ELSE {x}::text END", sql_type="text", type="string"
    )


def _field(x: str, name: str, unit: str) -> str:
    return f"nullif(extract({name} FROM {x}), 0)::int8 || '{unit}'"
