"""Dates and timestamps, which travel as integers.

Drivers lie about them: infinities become ordinary dates, and dates around 1582 move by ten days. An integer
means the same everywhere. The target keeps the years 1 to 9999.
"""

from __future__ import annotations

from airflow_dataloader.core.plan import Wire
from airflow_dataloader.sources.postgresql.type_rule import TypeRule

#: Years in which ``date_part`` is exact although it gives a float: with less than 2**32 seconds from 1970,
#: quotient and product are wrong by less than a quarter of a microsecond, and the cast rounds.
_FLOAT_FROM, _FLOAT_TO = "1850-01-01", "2100-01-01"


def date(x: str) -> TypeRule:
    """Keep a ``date`` as days since 1970-01-01; PostgreSQL counts in the proleptic Gregorian calendar.

    The type is said with its schema: by the source's ``search_path`` another ``date`` may come first, such as
    that of an extension that is like Oracle.
    """
    return TypeRule(
        value=f"({x} - pg_catalog.date '1970-01-01')",
        sql_type="int4",
        type="date",
        wire=Wire.EPOCH_DAYS,
        kept=f"{x} >= pg_catalog.date '0001-01-01' AND {x} <= pg_catalog.date '9999-12-31'",
    )


def timestamptz(x: str) -> TypeRule:
    """Keep an instant as microseconds since 1970-01-01T00:00:00Z."""
    return _micros(x, "pg_catalog.timestamptz", "+00", type="timestamp", wire=Wire.EPOCH_MICROS)


def timestamp(x: str) -> TypeRule:
    """Keep a wall clock's time as microseconds since 1970-01-01T00:00:00."""
    return _micros(x, "timestamp", "", type="timestamp_ntz", wire=Wire.WALL_MICROS)


def _micros(x: str, sql_name: str, zone: str, *, type: str, wire: Wire) -> TypeRule:
    def moment(day: str) -> str:
        return f"{sql_name} '{day} 00:00:00{zone}'"

    return TypeRule(
        # Whole seconds are exact as a float in all years that there are, and so is the rest of a minute.
        value=(
            f"(date_part('epoch', date_trunc('second', {x}))::int8 * 1000000"
            f" + date_part('microseconds', {x})::int8 % 1000000)"
        ),
        sql_type="int8",
        type=type,
        wire=wire,
        kept=f"{x} >= {moment('0001-01-01')} AND {x} < {moment('10000-01-01')}",
        fast=(
            f"{x} >= {moment(_FLOAT_FROM)} AND {x} < {moment(_FLOAT_TO)}",
            f"(date_part('epoch', {x}) * 1000000)::int8",
        ),
    )
