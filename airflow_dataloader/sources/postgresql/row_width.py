"""How wide a relation's rows are as they travel, measured on a few of them.

PostgreSQL's own statistics do not tell: of a value that is kept out of line they know the pointer, of a
compressed one the compressed size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.fetch_size import RowWidth
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.quoting import literal, quote

#: Pages that are looked at, spread over the table, and rows that are measured of what they hold.
_PAGES = 50
_ROWS = 200

#: The planner's cost of a measurement that is not worth having: some seconds, as of a view that sorts.
_DEAREST = 100_000

#: Bytes that a value takes beside those of its text, and a number or date in all.
_OF_A_VALUE = 32

_SHORT = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "date", "timestamp", "timestamptz", "oid"}
)

_TEXTS = frozenset({"text", "varchar", "bpchar"})


def row_width(
    ask: Ask, *, relation: str, described: Sequence[DescribedColumn], config: LoadConfig, where: str | None
) -> RowWidth | None:
    """Measure some rows; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Of a table pages from everywhere are looked at. A query's or view's first rows have to do, if they can be
    had without computing all others.
    """
    fixed = _OF_A_VALUE * len(described)
    wide = [column for column in described if column.array or column.base not in _SHORT]
    if not wide:
        return RowWidth(average=fixed, widest=fixed)
    blocks = _blocks(ask, relation) if config.query is None else None
    sql = width_sql(relation, wide, blocks=blocks, where=where)
    ((plans,),) = ask(f"EXPLAIN (FORMAT JSON) {sql}")
    if _cost(plans) > _DEAREST:
        return None
    ((average, widest),) = ask(sql)
    return None if average is None else RowWidth(average=fixed + float(average), widest=fixed + int(widest))


def width_sql(
    relation: str, wide: Sequence[DescribedColumn], *, blocks: int | None, where: str | None
) -> str:
    """Return the query for the average and the largest width of some rows' ``wide`` columns, in bytes.

    ``blocks``: pages of a table; None: the relation is not a table, and its first rows that satisfy ``where``
    are taken. Rows are chosen before values are looked at: each that is kept out of line costs a read.
    """
    columns = ", ".join(quote(column.name) for column in wide)
    if blocks is None:
        condition = f" WHERE {where}" if where else ""
        some = f"SELECT {columns} FROM {relation}{condition} LIMIT {_ROWS}"
    else:
        percent = min(100.0, 100.0 * _PAGES / max(1, blocks))
        pages = f"{relation} TABLESAMPLE SYSTEM ({percent:.10f})"
        some = f"SELECT {columns} FROM {pages} ORDER BY random() LIMIT {_ROWS}"
    width = " + ".join(f"CAST(coalesce({_bytes(column)}, 0) AS int8)" for column in wide)
    return f"SELECT CAST(avg(w) AS float8), max(w) FROM (SELECT {width} AS w FROM ({some}) AS s) AS r"


def _bytes(column: DescribedColumn) -> str:
    x = quote(column.name)
    if not column.array and column.base == "bytea":
        # It travels as text: two digits for a byte, or up to four characters.
        return f"CASE current_setting('bytea_output') WHEN 'hex' THEN 2 ELSE 4 END * octet_length({x})"
    if not column.array and column.base in _TEXTS:
        return f"octet_length({x})"
    return f"octet_length(CAST({x} AS text))"


def _blocks(ask: Ask, relation: str) -> int | None:
    """Return the pages of a table and its partitions, without what is kept out of line.

    None: it is no table, or a part of it is not stored by PostgreSQL's own access method, and may have none.
    """
    found = ask(
        "SELECT sum(pg_relation_size(coalesce(p.relid, c.oid))) / current_setting('block_size')::int8 "
        "FROM pg_class AS c LEFT JOIN LATERAL pg_partition_tree(c.oid) AS p ON true "
        "LEFT JOIN pg_class AS s ON s.oid = coalesce(p.relid, c.oid) LEFT JOIN pg_am AS a ON a.oid = s.relam "
        f"WHERE c.oid = CAST({literal(relation)} AS regclass) AND c.relkind IN ('r', 'p', 'm') "
        "GROUP BY c.oid "
        "HAVING bool_and(s.relkind = 'p' OR a.amname IS NOT DISTINCT FROM 'heap')"
    )
    return int(found[0][0] or 0) if found else None


def _cost(plans: Sequence[dict[str, Any]]) -> float:
    return max(float(plan["Plan"]["Total Cost"]) for plan in plans)
