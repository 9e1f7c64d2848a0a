"""Digests of a relation's parts, computed by PostgreSQL: of rows that are the same nothing else travels."""

from __future__ import annotations

from collections.abc import Collection

from airflow_dataloader.core.comparison import Compared, PartDigest, Parts
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.postgresql import encoding
from airflow_dataloader.sources.postgresql.partitions import ranges

#: Keys that the cuts are chosen among: to sort more of them would not make the parts more even.
SAMPLE = 50_000


def key_cuts(
    ask: Ask, relation: str, column: PlannedColumn, *, where: str | None, rows: int, parts: int
) -> tuple[str, ...]:
    """Return where to cut; see :class:`airflow_dataloader.sources.dialect.Dialect`."""
    found = ask(key_cuts_sql(relation, column, where=where, rows=rows, parts=parts))
    return tuple(dict.fromkeys(text for (text,) in found))[1:]


def key_cuts_sql(relation: str, column: PlannedColumn, *, where: str | None, rows: int, parts: int) -> str:
    """Return the query for the first key of each of ``parts`` about even parts; keys are chosen by hash."""
    keys = f"SELECT {encoding.order(column)} AS k, {encoding.canonical(column)} AS t FROM {relation}"
    keys += (f" WHERE {where}" if where else "") + " OFFSET 0"
    chosen = "k IS NOT NULL"
    if rows > 2 * SAMPLE:
        chosen += f' AND hashtextextended(t COLLATE "C", 0) % {rows // SAMPLE} = 0'
    numbered = f"SELECT k, t, ntile({parts}) OVER (ORDER BY k) AS part FROM ({keys}) AS s WHERE {chosen}"
    firsts = f"SELECT DISTINCT ON (part) part, t FROM ({numbered}) AS n ORDER BY part, k"
    return f"SELECT t FROM ({firsts}) AS f ORDER BY part"


def digests(
    ask: Ask, relation: str, compared: Compared, *, where: str | None
) -> dict[int, PartDigest] | None:
    """Return the parts' digests; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    A server that keeps texts in another encoding has another order for them, or does not know its encoding.
    """
    if ask("SELECT current_setting('server_encoding')") != [("UTF8",)]:
        return None
    return {
        int(part): PartDigest(rows=int(rows), first=int(first), second=int(second))
        for part, rows, first, second in ask(digests_sql(relation, compared, where=where))
    }


def digests_sql(relation: str, compared: Compared, *, where: str | None) -> str:
    """Return the query for number, rows and sums of every part that has rows.

    OFFSET 0 keeps the planner from writing each text out again wherever it is used.
    """
    texts = {column.name: f"t{place}" for place, column in enumerate(compared.columns)}
    items = [f"{encoding.canonical(column)} AS {texts[column.name]}" for column in compared.columns]
    parts, key = compared.parts, encoding.hashed(encoding.framed([texts[c.name] for c in compared.keys]))
    if parts.column is not None:
        items.append(f"{encoding.order(parts.column)} AS k")
        part = _range_number(parts)
    else:
        part = f"{encoding.number(key if compared.keys else 'h', 0)} % {parts.count}"
    row = encoding.hashed(encoding.framed(list(texts.values())))
    condition = f" WHERE {where}" if where else ""
    read = f"SELECT {', '.join(items)} FROM {relation}{condition} OFFSET 0"
    rows = f"SELECT *, {row} AS h FROM ({read}) AS v OFFSET 0"
    sums = ", ".join(f"sum({encoding.number('h', place)})" for place in (0, 1))
    return f"SELECT {part} AS part, count(*), {sums} FROM ({rows}) AS r GROUP BY 1"


def within_parts(compared: Compared, numbers: Collection[int]) -> str:
    """Return the predicate of the rows in these parts."""
    parts = compared.parts
    if parts.count == 1:
        return "true"
    if parts.column is not None:
        cuts = [encoding.value(text, parts.column) for text in parts.cuts]
        found = ranges(encoding.order(parts.column), cuts, nulls=True)
        return " OR ".join(f"({found[number]})" for number in sorted(numbers))
    columns = compared.keys or compared.columns
    digest = encoding.hashed(encoding.framed([encoding.canonical(column) for column in columns]))
    listed = ", ".join(str(number) for number in sorted(numbers))
    return f"{encoding.number(digest, 0)} % {parts.count} IN ({listed})"


def _range_number(parts: Parts) -> str:
    assert parts.column is not None, "ranges are ranges of a column"
    cuts = ", ".join(encoding.value(text, parts.column) for text in parts.cuts)
    return f"coalesce(width_bucket(k, ARRAY[{cuts}]), 0)" if cuts else "0"
