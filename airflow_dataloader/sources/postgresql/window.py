"""The window of a load. All arithmetic is PostgreSQL's own, on the source's own texts."""

from __future__ import annotations

from datetime import timedelta

from airflow_dataloader.core.strategy import CursorType, NullCursorPolicy
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.sources.dialect import Ask, CursorPlan, Frozen
from airflow_dataloader.sources.postgresql.quoting import literal

#: SQLSTATE class "data exception": a text that is no value of the type it is cast to.
DATA_EXCEPTION = "22"

#: The earliest that a clock somewhere shows just now, and what one shows in the row's own zone, as values of
#: the cursor's type. A row beyond the latter is one of the future, or the zone is not that of the column's
#: writers; the watermark is right in either case.
_EARLIEST = "(now() AT TIME ZONE 'UTC' - interval '12 hours')"
_LATEST = "(now() AT TIME ZONE 'UTC' + interval '{zone_seconds} seconds')"
_CLOCKS = {
    CursorType.TIMESTAMP: ("now()", "now()"),
    CursorType.TIMESTAMP_NTZ: (_EARLIEST, _LATEST),
    CursorType.DATE: (_EARLIEST, _LATEST),
}


def freeze(ask: Ask, relation: str, cursor: CursorPlan, low: str | None) -> Frozen:
    """Ask for the window's upper end and the next watermark; refuse a ``low`` that is no value."""
    try:
        high, watermark, low_is_kept, ahead, behind = ask(freeze_sql(relation, cursor, low))[0]
    except DataloaderError as error:
        if low is None or not (error.sqlstate or "").startswith(DATA_EXCEPTION):
            raise
        raise _no_watermark(cursor, low, error.sqlstate) from None
    if low is not None and low_is_kept is False:
        raise _no_watermark(cursor, low, None)
    return Frozen(high=high, watermark=watermark, ahead=bool(ahead), behind=bool(behind))


def freeze_sql(relation: str, cursor: CursorPlan, low: str | None) -> str:
    """Return the query that :func:`freeze` asks.

    Its columns: the largest cursor, the next watermark, whether ``low`` is usable, and whether the largest
    cursor lies beyond the source's clock, or below ``low``. Beyond the clock, the watermark is a time that no
    row written from now on lies below, but for those that the overlap is for.
    Sorting instead of ``max`` works for every type that can be compared, and uses an index the same way.
    """
    usable = f"{cursor.quoted} IS NOT NULL" + (f" AND {cursor.kept}" if cursor.kept else "")
    highest = f"SELECT {cursor.quoted} FROM {relation} WHERE {usable} ORDER BY {cursor.quoted} DESC LIMIT 1"
    bound = "NULL" if low is None else literal(low)
    kept = cursor.kept_of("lo") or "true"
    earliest, latest = _CLOCKS.get(cursor.type, ("NULL", "NULL"))
    latest = latest.format(zone_seconds=cursor.zone_seconds)
    next_low = "greatest(lo, CASE WHEN hi > latest THEN earliest ELSE hi END)"
    return (
        f"SELECT CAST(hi AS text), CAST({next_low} AS text), {kept}, hi > latest, hi < lo "
        f"FROM (SELECT ({highest}) AS hi, CAST({bound} AS {cursor.cast}) AS lo, "
        f"CAST({earliest} AS {cursor.cast}) AS earliest, CAST({latest} AS {cursor.cast}) AS latest) AS bounds"
    )


def window_predicate(
    cursor: CursorPlan,
    low: str | None,
    high: str | None,
    *,
    null_policy: NullCursorPolicy,
) -> str:
    """Return the predicate of the window; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Cursors that the target cannot keep lie outside every window. Where they must make the load fail, they are
    read every time, so that none is passed over in silence.
    """
    includes_nulls = null_policy is NullCursorPolicy.INCLUDE
    parts = []
    if high is not None:
        within = _between(cursor, low, high)
        missing = cursor.kept is not None and not cursor.refuses
        parts.append(f"({within} AND {cursor.kept})" if missing else within)
    if includes_nulls:
        parts.append(f"{cursor.quoted} IS NULL")
    if cursor.kept is not None and (cursor.refuses or includes_nulls):
        parts.append(f"NOT ({cursor.kept})")
    return " OR ".join(parts) or "false"


def null_cursor_sql(relation: str, cursor: CursorPlan) -> str:
    """Return the query whether any row has no cursor."""
    missing = f"{cursor.quoted} IS NULL"
    if cursor.kept is not None and not cursor.refuses:
        missing += f" OR NOT ({cursor.kept})"
    return f"SELECT EXISTS (SELECT FROM {relation} WHERE {missing})"


def _between(cursor: CursorPlan, low: str | None, high: str) -> str:
    upper = f"{cursor.quoted} <= CAST({literal(high)} AS {cursor.cast})"
    if low is None:
        return f"({upper})"
    return f"({cursor.quoted} >= {lower_bound(cursor, low)} AND {upper})"


def lower_bound(cursor: CursorPlan, low: str) -> str:
    """Return the expression of a window's lower end: the cursor's lookback before ``low``."""
    return f"CAST({literal(low)} AS {cursor.cast})" + _minus_lookback(cursor)


def _minus_lookback(cursor: CursorPlan) -> str:
    lookback = cursor.lookback
    if not lookback:
        return ""
    if not isinstance(lookback, timedelta):
        return f" - {lookback}"
    if cursor.type is CursorType.DATE and not lookback % timedelta(days=1):
        return f" - {lookback.days}"
    return f" - interval '{lookback // timedelta(microseconds=1)} microseconds'"


def _no_watermark(cursor: CursorPlan, low: str, sqlstate: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"incremental_value {low!r} is not a {cursor.type} that column {cursor.column.source_name!r} "
        f"({cursor.column.source_type}) could hold.",
        field="incremental_value",
        fix="set it to a value of the column, as the source writes it in UTC, or to NULL to load everything",
        sqlstate=sqlstate,
    )
