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
from airflow_dataloader.sources.postgresql.transaction import SEEN_UNTIL
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
    # Days that the target cannot keep are treated as cursors are: read to be refused, or as no day.
    refuses = config.value_policy is not ValuePolicy.NULL
    ((first, begins, seen, shown),) = ask(
        days_sql(column.base, config.rolling_days or 1, config.load_timezone)
    )
    x = quote(column.name)
    window = f"{x} >= CAST({literal(first)} AS pg_catalog.{column.base})"
    kept = keep(column, x).kept
    return Days(
        column=planned,
        type=_TYPES[column.base],
        first=first,
        begins=begins,
        seen_until=seen,
        shown_until=shown,
        where=f"{window} OR NOT ({kept})" if refuses else f"{window} AND {kept}",
        missing=f"{x} IS NULL" if refuses else f"{x} IS NULL OR NOT ({kept})",
    )


def days_sql(base: str, rolling_days: int, zone: str) -> str:
    """Return the query for the window's first value, and then as in :class:`.model.Days`, all as texts.

    The target keeps no day before the year 1.
    """
    here = f"AT TIME ZONE {literal(zone)}"
    today = f"CAST(now() {here} AS pg_catalog.date)"
    day = f"{today} - least({rolling_days - 1}, {today} - pg_catalog.date '0001-01-01')"
    # Where clocks are put back at midnight, the day begins at the first of two midnights; the second is what
    # PostgreSQL makes of the bare date. The last microsecond of the day before happened only once.
    microsecond = "interval '1 microsecond'"
    eve = f"(day - {microsecond}) {here} + {microsecond}"
    earliest = "pg_catalog.timestamptz '0001-01-01 00:00:00+00'"
    begins = f"greatest(least(CAST(day AS timestamp) {here}, {eve}), {earliest})"
    instants = base == "timestamptz"
    first, shown = (
        ("begins", "seen")
        if instants
        else (f"CAST(day AS pg_catalog.{base})", f"CAST(seen {here} AS pg_catalog.{base})")
    )
    texts = ", ".join(f"CAST({value} AS text)" for value in (first, "begins", "seen", shown))
    return (
        f"SELECT {texts} FROM (SELECT day, seen, {begins} AS begins "
        f"FROM (SELECT {day} AS day, {SEEN_UNTIL} AS seen) AS d) AS d"
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
