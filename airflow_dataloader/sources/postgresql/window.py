"""The window of a load. All arithmetic is PostgreSQL's own, on the source's own texts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

from airflow_dataloader.core.strategy import CursorType, NullCursorPolicy
from airflow_dataloader.core.wall_clock import highest_until, reach
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import CursorPlan, Frozen
from airflow_dataloader.sources.postgresql.quoting import literal
from airflow_dataloader.sources.postgresql.transaction import SEEN_UNTIL

#: SQLSTATE class "data exception": a text that is no value of the type it is cast to.
DATA_EXCEPTION = "22"

#: Before the snapshot, and after it: nothing that was committed by the first is missing in the snapshot, and
#: nothing that the snapshot shows was written later than the second.
CLOCKS = f"SELECT {SEEN_UNTIL}, clock_timestamp()"

#: No clock shows less than this long before UTC.
_FURTHEST_BEHIND = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What the clock of a cursor's writers shows, as SQL that can be cast to the cursor's type.

    For values without a zone it is taken to be the clock of the row's ``load_timezone``. Where theirs is
    further west, rows of their near future pass for rows of the present.
    """

    #: The highest that it has shown.
    latest: str
    #: How far a load can have come that reads everything: :func:`airflow_dataloader.core.wall_clock.reach`.
    reach: str
    #: Stands in for ``reach`` where a row lies beyond ``latest``: it is one of the future, or the zone is not
    #: that of the column's writers, and theirs may be any that is further east.
    doubtful: str


_NO_CLOCK = Clock(latest="NULL", reach="NULL", doubtful="NULL")
_INSTANTS = Clock(latest="clock_timestamp()", reach=SEEN_UNTIL, doubtful=SEEN_UNTIL)


def freeze(ask: Ask, relation: str, cursor: CursorPlan, low: str | None) -> Frozen:
    """Ask for the window's upper end and the next watermark; refuse a ``low`` that is no value."""
    if low is not None:
        _refuse_no_watermark(ask, cursor, low)
    bounds = freeze_sql(relation, cursor, low, _clock(ask, cursor))
    ((high, newest, watermark, ahead, behind, from_future),) = ask(bounds)
    return Frozen(
        high=high,
        newest=newest,
        watermark=watermark,
        ahead=bool(ahead),
        behind=bool(behind),
        from_future=bool(from_future),
    )


def is_from_future(ask: Ask, cursor: CursorPlan, low: str) -> bool:
    """Return whether ``low`` is later than now; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    clock = _clock(ask, cursor)
    if clock is _NO_CLOCK:
        return False
    ((beyond,),) = ask(
        f"SELECT lo > latest FROM (SELECT CAST({literal(low)} AS {cursor.cast}) AS lo, "
        f"CAST({clock.latest} AS {cursor.cast}) AS latest) AS bounds"
    )
    return bool(beyond)


def _clock(ask: Ask, cursor: CursorPlan) -> Clock:
    if cursor.zone is None:
        return _INSTANTS if cursor.type is CursorType.TIMESTAMP else _NO_CLOCK
    ((before, after),) = ask(CLOCKS)
    overlap = cursor.lookback if isinstance(cursor.lookback, timedelta) else timedelta()
    walls = (
        highest_until(cursor.zone, after),
        reach(cursor.zone, before, overlap),
        before.astimezone(UTC).replace(tzinfo=None) - _FURTHEST_BEHIND,
    )
    latest, reached, doubtful = (literal(wall.isoformat(" ")) for wall in walls)
    return Clock(latest=latest, reach=reached, doubtful=doubtful)


def freeze_sql(relation: str, cursor: CursorPlan, low: str | None, clock: Clock) -> str:
    """Return the query that :func:`freeze` asks; its columns are :class:`Frozen`'s.

    Sorting instead of ``max`` works for every type that can be compared, and uses an index the same way.
    Where nothing lies beyond the clock, the source looks for its largest cursor alone.
    """
    bound = "NULL" if low is None else literal(low)
    latest, reach = (f"CAST({end} AS {cursor.cast})" for end in (clock.latest, clock.reach))
    of_doubt, of_reach, of_latest = (
        _highest(relation, cursor, until=end) for end in (clock.doubtful, clock.reach, clock.latest)
    )
    come_to = f"CASE WHEN hi > latest THEN ({of_doubt}) WHEN hi > reach THEN ({of_reach}) ELSE hi END"
    seen = f"CASE WHEN hi > latest THEN ({of_latest}) ELSE hi END"
    return (
        "SELECT CAST(hi AS text), CAST(coalesce(come_to, seen, hi) AS text), "
        "CAST(greatest(lo, come_to) AS text), "
        "hi > latest, hi < lo OR (seen < lo AND lo <= latest), lo > latest "
        f"FROM (SELECT hi, lo, latest, {come_to} AS come_to, {seen} AS seen "
        f"FROM (SELECT ({_highest(relation, cursor)}) AS hi, CAST({bound} AS {cursor.cast}) AS lo, "
        f"{latest} AS latest, {reach} AS reach) AS bounds) AS reached"
    )


def _highest(relation: str, cursor: CursorPlan, *, until: str | None = None) -> str:
    """Return the query of the largest cursor; ``until``: of those that are not beyond that."""
    usable = f"{cursor.quoted} IS NOT NULL" + (f" AND {cursor.kept}" if cursor.kept else "")
    if until is not None:
        usable += f" AND {cursor.quoted} <= CAST({until} AS {cursor.cast})"
    return f"SELECT {cursor.quoted} FROM {relation} WHERE {usable} ORDER BY {cursor.quoted} DESC LIMIT 1"


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


def newest_rows_predicate(cursor: CursorPlan, high: str) -> str:
    """Return the predicate of the last rows; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    return f"{cursor.quoted} = CAST({literal(high)} AS {cursor.cast})"


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


def _refuse_no_watermark(ask: Ask, cursor: CursorPlan, low: str) -> None:
    """Refuse a ``low`` that is no value of the cursor, or none that the target could keep.

    Asked by itself: where the relation is read, what a query or view computes may fail in the same way.
    """
    kept = cursor.kept_of("lo") or "true"
    try:
        ((usable,),) = ask(f"SELECT {kept} FROM (SELECT CAST({literal(low)} AS {cursor.cast}) AS lo) AS b")
    except DataloaderError as error:
        if not (error.sqlstate or "").startswith(DATA_EXCEPTION):
            raise
        raise _no_watermark(cursor, low, error.sqlstate) from None
    if usable is False:
        raise _no_watermark(cursor, low, None)


def _no_watermark(cursor: CursorPlan, low: str, sqlstate: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"incremental_value {low!r} is not a {cursor.type} that column {cursor.column.source_name!r} "
        f"({cursor.column.source_type}) could hold.",
        field="incremental_value",
        fix="set it to a value of the column, as the source writes it in UTC, or to NULL to load everything",
        sqlstate=sqlstate,
    )
