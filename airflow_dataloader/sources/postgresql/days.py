"""The window of a rolling load: whole days up to today, by the source's clock and the row's zone."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import CursorType, ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import Days, DescribedColumn
from airflow_dataloader.sources.postgresql.named_column import named_column
from airflow_dataloader.sources.postgresql.quoting import literal, quote
from airflow_dataloader.sources.postgresql.types import keep

_TYPES = {
    "date": CursorType.DATE,
    "timestamp": CursorType.TIMESTAMP_NTZ,
    "timestamptz": CursorType.TIMESTAMP,
}


def days(
    ask: Ask, described: Sequence[DescribedColumn], columns: Sequence[PlannedColumn], config: LoadConfig
) -> Days:
    """Return the frozen window; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    planned, column = named_column(
        described,
        columns,
        config.rolling_column,
        field="rolling_column",
        bases=_TYPES,
        unfit="has no days",
        fix="name a date or timestamp column",
    )
    _refuse_unknown_zone(ask, config.load_timezone)
    ((first,),) = ask(first_sql(column.base, config.rolling_days or 1, config.load_timezone))
    x = quote(column.name)
    return _days(planned, column, x, str(first), refuses=config.value_policy is not ValuePolicy.NULL)


def first_sql(base: str, rolling_days: int, zone: str) -> str:
    """Return the query for the window's first value, as text. The target keeps no day before the year 1."""
    today = f"CAST(now() AT TIME ZONE {literal(zone)} AS pg_catalog.date)"
    day = f"{today} - least({rolling_days - 1}, {today} - pg_catalog.date '0001-01-01')"
    if base != "timestamptz":
        return f"SELECT CAST(CAST({day} AS pg_catalog.{base}) AS text)"
    # Where clocks are put back at midnight, the day begins at the first of two midnights; the second is what
    # PostgreSQL makes of the bare date. The last microsecond of the day before happened only once.
    midnight = f"CAST(day AS timestamp) AT TIME ZONE {literal(zone)}"
    microsecond = "interval '1 microsecond'"
    eve = f"(day - {microsecond}) AT TIME ZONE {literal(zone)} + {microsecond}"
    begin = f"greatest(least({midnight}, {eve}), pg_catalog.timestamptz '0001-01-01 00:00:00+00')"
    return f"SELECT CAST({begin} AS text) FROM (SELECT {day} AS day) AS d"


def _days(planned: PlannedColumn, column: DescribedColumn, x: str, first: str, *, refuses: bool) -> Days:
    """Treat days that the target cannot keep as cursors are: read them all to be refused, or as no day."""
    window = f"{x} >= CAST({literal(first)} AS pg_catalog.{column.base})"
    kept = keep(column, x).kept
    return Days(
        column=planned,
        type=_TYPES[column.base],
        first=first,
        where=f"{window} OR NOT ({kept})" if refuses else f"{window} AND {kept}",
        missing=f"{x} IS NULL" if refuses else f"{x} IS NULL OR NOT ({kept})",
    )


def _refuse_unknown_zone(ask: Ask, zone: str) -> None:
    # Asked by name: what PostgreSQL does not know as one, it may still read as an offset of some kind.
    known = f"SELECT EXISTS (SELECT FROM pg_timezone_names WHERE lower(name) = lower({literal(zone)}))"
    if not ask(known)[0][0]:
        raise ConfigurationError(
            f"load_timezone {zone!r} is not a time zone that the source knows.",
            field="load_timezone",
            fix="use an IANA name that the source has in pg_timezone_names, such as Europe/Berlin or UTC",
        )
