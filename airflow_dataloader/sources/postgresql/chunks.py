"""Cutting the history of a table into chunks that are read one after another, some of them days later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import CursorPlan, Cuts
from airflow_dataloader.sources.postgresql.quoting import literal

_INSTANTS = "lo + floor(extract(epoch FROM x - lo) / {seconds}) * interval '{seconds} seconds'"

#: Beginning of the chunk that a value ``x`` belongs to, if ``lo`` begins the first. Any cut is right, so that
#: nothing depends on how these round; only cuts with rows behind them are made, whatever the gaps are.
_BEGINNINGS = {
    CursorType.DATE: "lo + (x - lo) / {days} * {days}",
    CursorType.TIMESTAMP: _INSTANTS,
    CursorType.TIMESTAMP_NTZ: _INSTANTS,
}


#: Longer than a calendar of four-digit years; PostgreSQL has no interval for much more.
_EVER = timedelta(days=10_000 * 366)

#: Among the ends of a hundred thousand chunks PostgreSQL finds a value's place by halving where all have one
#: length. Where they have not it walks through all of them, row by row; so it is asked about a few at a time.
_OF_ANY_LENGTH = frozenset({"numeric", "text", "bpchar"})
_AT_ONCE = 200

_ENDS = "(SELECT min(x) AS lo, max(x) AS hi, count(*) AS n FROM v) AS e"


def cuts(ask: Ask, relation: str, cursor: CursorPlan, high: str, *, size: timedelta | int, most: int) -> Cuts:
    """Return where to cut; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Times are cut into spans. Integers are cut into ranges of one width, as many as ``size`` goes into the
    table's rows. Decimals and texts have no such width: the source sorts them and counts.
    """
    points = [text for (text,) in ask(f"{cuts_sql(relation, cursor, high, size)} LIMIT {most + 1}")]
    return Cuts(low=points[0] if points else None, points=tuple(points[1:]))


def cuts_sql(relation: str, cursor: CursorPlan, high: str, size: timedelta | int) -> str:
    """Return the query for the smallest cursor and the beginning of every later chunk, in order."""
    x, bound = cursor.quoted, f"CAST({literal(high)} AS {cursor.cast})"
    kept = f" AND {cursor.kept}" if cursor.kept else ""
    values = f"SELECT {x} AS x FROM {relation} WHERE {x} <= {bound}{kept}"
    if isinstance(size, timedelta):
        span = min(size, _EVER)
        first = _BEGINNINGS[cursor.type].format(days=span.days, seconds=span // timedelta(seconds=1))
        begun = f"SELECT DISTINCT CAST({first} AS {cursor.cast}) AS x FROM v, {_ENDS}"
    elif cursor.type is CursorType.INTEGER:
        width = f"greatest(1, ceil((hi::numeric - lo + 1) * {size} / n))"
        first = f"lo + div(x::numeric - lo, {width}) * {width}"
        begun = f"SELECT DISTINCT CAST({first} AS {cursor.cast}) AS x FROM v, {_ENDS}"
    else:
        numbered = "SELECT x, row_number() OVER (ORDER BY x) - 1 AS place FROM v"
        begun = f"SELECT DISTINCT x FROM ({numbered}) AS s WHERE place % {size} = 0"
    return f"WITH v AS ({values}), c AS ({begun}) SELECT CAST(c.x AS text) FROM c ORDER BY c.x"


def chunk_rows(
    ask: Ask, relation: str, cursor: CursorPlan, ends: Sequence[str | None], high: str
) -> tuple[int, ...]:
    """Count the rows of chunks; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    at_once = _AT_ONCE if cursor.cast in _OF_ANY_LENGTH else len(ends)
    rows: list[int] = []
    low = None
    for first in range(0, len(ends), at_once):
        some = ends[first : first + at_once]
        found = {int(place): int(n) for place, n in ask(chunk_rows_sql(relation, cursor, low, some, high))}
        rows += (found.get(place, 0) for place in range(len(some)))
        low = some[-1]
    return tuple(rows)


def chunk_rows_sql(
    relation: str, cursor: CursorPlan, low: str | None, ends: Sequence[str | None], high: str
) -> str:
    """Return the query for the place, from 0 on, and the rows of each chunk that has some, in one pass.

    The first begins at ``low``, each of the others where the one before it ends.
    """
    points = ", ".join(literal(end) for end in ends[:-1] if end is not None)
    place = f"width_bucket(CAST({cursor.quoted} AS {cursor.cast}), CAST(ARRAY[{points}] AS {cursor.cast}[]))"
    if cursor.kept:
        place = f"CASE WHEN {cursor.kept} THEN {place} ELSE 0 END"
    where = chunk_predicate(cursor, low, ends[-1], high)
    return f"SELECT {place}, count(*) FROM {relation} WHERE {where} GROUP BY 1"


def chunk_predicate(cursor: CursorPlan, low: str | None, below: str | None, high: str) -> str:
    """Return the predicate of ``low <= cursor < below``, no cursor beyond ``high``; None leaves an end open.

    Cursors that the target cannot keep belong to the first chunk where they must make the load fail, so that
    it fails at once, and to no range where they count as none.
    """
    x = cursor.quoted
    parts = [f"{x} {sign} CAST({literal(end)} AS {cursor.cast})"
             for sign, end in ((">=", low), ("<", below), ("<=", high)) if end is not None]  # fmt: skip
    if cursor.kept and not cursor.refuses:
        parts.append(cursor.kept)
    within = " AND ".join(parts)
    refused = cursor.kept and cursor.refuses and low is None
    return f"({within}) OR NOT ({cursor.kept})" if refused else within
