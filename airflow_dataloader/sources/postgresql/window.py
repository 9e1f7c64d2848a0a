"""The window of a load. All arithmetic is PostgreSQL's own, on the source's own texts."""

from __future__ import annotations

from datetime import timedelta

from airflow_dataloader.core.strategy import CursorType, NullCursorPolicy
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.sources.dialect import Ask, CursorPlan, Frozen
from airflow_dataloader.sources.postgresql.quoting import literal

#: SQLSTATE class "data exception": a text that is no value of the type it is cast to.
DATA_EXCEPTION = "22"

#: The source's clock as a value of the cursor's type. A wall clock's zone is not known: the latest there is.
_WALL_CLOCK = "(now() AT TIME ZONE 'UTC' + interval '14 hours')"
_CLOCKS = {
    CursorType.TIMESTAMP: "now()",
    CursorType.TIMESTAMP_NTZ: _WALL_CLOCK,
    CursorType.DATE: f"CAST({_WALL_CLOCK} AS date)",
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
    cursor lies beyond the source's clock, or below ``low``.
    Sorting instead of ``max`` works for every type that can be compared, and uses an index the same way.
    """
    usable = f"{cursor.quoted} IS NOT NULL" + (f" AND {cursor.kept}" if cursor.kept else "")
    highest = f"SELECT {cursor.quoted} FROM {relation} WHERE {usable} ORDER BY {cursor.quoted} DESC LIMIT 1"
    bound = "NULL" if low is None else literal(low)
    kept = cursor.kept_of("lo") or "true"
    return (
        "SELECT CAST(hi AS text), CAST(greatest(lo, CASE WHEN hi > latest THEN latest ELSE hi END) AS text), "
        f"{kept}, hi > latest, hi < lo FROM (SELECT ({highest}) AS hi, CAST({bound} AS {cursor.cast}) AS lo, "
        f"CAST({_latest(cursor)} AS {cursor.cast}) AS latest) AS bounds"
    )


def _latest(cursor: CursorPlan) -> str:
    """Return the latest watermark: the next window, which begins a lookback earlier, must reach the clock."""
    clock = _CLOCKS.get(cursor.type)
    return "NULL" if clock is None else clock + _shift(cursor, cursor.lookback, "+")


def window_predicate(
    cursor: CursorPlan,
    low: str | None,
    high: str | None,
    *,
    lookback: timedelta | int | None,
    null_policy: NullCursorPolicy,
) -> str:
    """Return the predicate of the window; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Cursors that the target cannot keep lie outside every window. Where they must make the load fail, they are
    read every time, so that none is passed over in silence.
    """
    includes_nulls = null_policy is NullCursorPolicy.INCLUDE
    parts = [_between(cursor, low, high, lookback)] if high is not None else []
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


def _between(cursor: CursorPlan, low: str | None, high: str, lookback: timedelta | int | None) -> str:
    upper = f"{cursor.quoted} <= CAST({literal(high)} AS {cursor.cast})"
    if low is None:
        return f"({upper})"
    bound = f"CAST({literal(low)} AS {cursor.cast})" + _shift(cursor, lookback, "-")
    return f"({cursor.quoted} >= {bound} AND {upper})"


def lower_bound(cursor: CursorPlan, low: str) -> str:
    """Return the expression of a window's lower end: a lookback before ``low``."""
    return f"CAST({literal(low)} AS {cursor.cast})" + _shift(cursor, cursor.lookback, "-")


def _shift(cursor: CursorPlan, lookback: timedelta | int | None, sign: str) -> str:
    if not lookback:
        return ""
    if not isinstance(lookback, timedelta):
        return f" {sign} {lookback}"
    if cursor.type is CursorType.DATE and not lookback % timedelta(days=1):
        return f" {sign} {lookback.days}"
    return f" {sign} interval '{lookback // timedelta(microseconds=1)} microseconds'"


def _no_watermark(cursor: CursorPlan, low: str, sqlstate: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"incremental_value {low!r} is not a {cursor.type} that column {cursor.column.source_name!r} "
        f"({cursor.column.source_type}) could hold.",
        field="incremental_value",
        fix="set it to a value of the column, as the source writes it in UTC, or to NULL to load everything",
        sqlstate=sqlstate,
    )
