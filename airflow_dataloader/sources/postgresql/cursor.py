"""The cursor column of a row: which types can be one, and what may be subtracted from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import CursorType, ValuePolicy
from airflow_dataloader.core.zones import read_zone
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.named_column import named_column
from airflow_dataloader.sources.postgresql.numbers import precision_and_scale
from airflow_dataloader.sources.postgresql.quoting import quote
from airflow_dataloader.sources.postgresql.types import keep

#: Base type to cursor type and the SQL type that watermarks are cast to. Of times with its schema: by the
#: source's ``search_path`` another ``date`` may come first.
_TYPES = {
    "timestamptz": (CursorType.TIMESTAMP, "pg_catalog.timestamptz"),
    "timestamp": (CursorType.TIMESTAMP_NTZ, "timestamp"),
    "date": (CursorType.DATE, "pg_catalog.date"),
    "int2": (CursorType.INTEGER, "int8"),
    "int4": (CursorType.INTEGER, "int8"),
    "int8": (CursorType.INTEGER, "int8"),
    "numeric": (CursorType.DECIMAL, "numeric"),
    "text": (CursorType.STRING, "text"),
    "varchar": (CursorType.STRING, "text"),
    "bpchar": (CursorType.STRING, "bpchar"),
    "uuid": (CursorType.STRING, "uuid"),
}

#: Types whose order depends on a collation. The target compares bytes, so the source has to do the same.
_COLLATED = frozenset({"text", "varchar", "bpchar"})

_WITHOUT_ZONE = frozenset({CursorType.TIMESTAMP_NTZ, CursorType.DATE})
_NUMBERS = frozenset({CursorType.INTEGER, CursorType.DECIMAL})

#: What timestamp cursors get unless the row says otherwise: rows commit later than their cursor says.
_LOOKBACK = timedelta(minutes=15)

#: PostgreSQL's calendar begins 4,713 years before the earliest watermark that can be kept.
_LONGEST_LOOKBACK = timedelta(days=1_700_000)


def cursor(
    described: Sequence[DescribedColumn], columns: Sequence[PlannedColumn], config: LoadConfig
) -> CursorPlan:
    """Return the row's cursor; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    planned, column = named_column(
        described,
        columns,
        config.incremental_column,
        field="incremental_column",
        bases=_TYPES,
        unfit="cannot say how far a load has come",
        fix="name a timestamp, date, integer, numeric, text or uuid column that grows with every change",
    )
    found, cast = _TYPES[column.base]
    quoted = quote(column.name)
    kind = _checked_type(column, found, config.incremental_type)

    def kept_of(x: str) -> str | None:
        return keep(column, x).kept

    return CursorPlan(
        column=planned,
        quoted=f'{quoted} COLLATE "C"' if column.base in _COLLATED else quoted,
        cast=cast,
        type=kind,
        zone=read_zone(config.load_timezone) if kind in _WITHOUT_ZONE else None,
        lookback=_checked_lookback(kind, column, config.lookback),
        kept=kept_of(quoted),
        kept_of=kept_of,
        refuses=config.value_policy is not ValuePolicy.NULL,
        padded=column.base == "bpchar",
    )


def _checked_type(column: DescribedColumn, found: CursorType, asked: CursorType | None) -> CursorType:
    """Return the type to treat the cursor as: the source's, or a narrower one that the row asks for."""
    if asked is None or asked is found:
        return found
    if asked is CursorType.TIMESTAMP and found is CursorType.TIMESTAMP_NTZ:
        # PostgreSQL itself calls a timestamp without time zone "timestamp".
        return found
    whole = column.base == "numeric" and column.modifier >= 0 and precision_and_scale(column.modifier)[1] <= 0
    if asked is CursorType.INTEGER and whole:
        return asked
    raise ConfigurationError(
        f"incremental_type says {asked}, and column {column.name!r} is {column.declared} at the source.",
        field="incremental_type",
        fix=f"set it to {found}, or leave it empty",
    )


def _checked_lookback(
    kind: CursorType, column: DescribedColumn, asked: timedelta | int | None
) -> timedelta | int | None:
    if asked is None:
        return _LOOKBACK if kind.is_time and kind is not CursorType.DATE else None
    if not asked:
        return None
    wanted = timedelta if kind.is_time else int
    subtracts = kind.is_time or kind in _NUMBERS
    if subtracts and isinstance(asked, wanted):
        _refuse_longer_than_the_calendar(asked)
        return asked
    fixes = {timedelta: "write a span of time, such as '15 minutes' or '2 days'", int: "write a whole number"}
    raise ConfigurationError(
        f"lookback is {asked}, which cannot be subtracted from column {column.name!r} ({column.declared}).",
        field="lookback",
        fix=fixes[wanted] if subtracts else "leave it empty: text has no distance",
    )


def _refuse_longer_than_the_calendar(lookback: timedelta | int) -> None:
    """Raise ConfigurationError for a span that the source cannot subtract from its watermarks."""
    if isinstance(lookback, timedelta) and lookback > _LONGEST_LOOKBACK:
        raise ConfigurationError(
            f"lookback is {lookback.days:,} days, and the source's calendar does not go back so far.",
            field="lookback",
            fix=f"write at most {_LONGEST_LOOKBACK.days} days; with load_strategy = 'full' every load reads "
            "everything",
        )
