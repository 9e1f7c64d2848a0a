"""Whether a window would bring anything new, answered by one pass over its rows at the source."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn, Fingerprint
from airflow_dataloader.sources.postgresql.quoting import literal, quote
from airflow_dataloader.sources.postgresql.window import lower_bound


def fingerprint(
    ask: Ask,
    *,
    relation: str,
    described: Sequence[DescribedColumn],
    cursor: CursorPlan,
    watermark: str,
    null_policy: NullCursorPolicy,
) -> Fingerprint:
    """Count and digest; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    ((newer, rows, digest),) = ask(fingerprint_sql(relation, described, cursor, watermark, null_policy))
    return Fingerprint(newer=int(newer), rows=int(rows), digest=str(digest))


def fingerprint_sql(
    relation: str,
    described: Sequence[DescribedColumn],
    cursor: CursorPlan,
    watermark: str,
    null_policy: NullCursorPolicy,
) -> str:
    """Return the query: rows beyond the watermark, rows of the boundary, and what those hold, in any order.

    A row's text is exact in the session's styles and tells NULL from an empty text; 64 bits of each are added
    up, so that equal rows do not take each other out as they would by exclusive or.
    """
    x, high = cursor.quoted, f"CAST({literal(watermark)} AS {cursor.cast})"
    kept = f" AND {cursor.kept}" if cursor.kept and not cursor.refuses else ""
    newer = f"{x} > {high}{kept}"
    boundary = [f"({x} >= {lower_bound(cursor, watermark)} AND {x} <= {high}{kept})"]
    if null_policy is not NullCursorPolicy.EXCLUDE:
        # Also where they make the load fail: it must run, and say so.
        boundary.append(f"{x} IS NULL")
    if cursor.kept and (cursor.refuses or null_policy is not NullCursorPolicy.EXCLUDE):
        boundary.append(f"NOT ({cursor.kept})")
    within = " OR ".join(boundary)
    columns = ", ".join(quote(column.name) for column in described)
    hashed = f'hashtextextended(CAST(ROW({columns}) AS text) COLLATE "C", 0)'
    return (
        f"SELECT count(*) FILTER (WHERE {newer}), count(*) FILTER (WHERE {within}), "
        f"coalesce(sum(CAST({hashed} AS numeric)) FILTER (WHERE {within}), 0) "
        f"FROM {relation} WHERE {newer} OR {within}"
    )
