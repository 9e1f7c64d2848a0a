"""Splitting one read into several that PostgreSQL can answer side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from airflow_dataloader.core.config import LoadConfig, SourceTable
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError
from airflow_dataloader.sources.columns import find_column
from airflow_dataloader.sources.dialect import Ask
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.quoting import literal, quote
from airflow_dataloader.sources.postgresql.types import keep
from airflow_dataloader.sources.postgresql.window import DATA_EXCEPTION

#: Parts smaller than 8 MiB of pages, and windows of fewer rows, are not worth a connection of their own
#: unless the row says num_partitions.
SMALL_BLOCKS = 1_000
SMALL_ROWS = 100_000

#: Ranges of row addresses can be scanned without reading the whole table from this version on.
_TID_RANGE_SCAN = 140_000

#: Base type to the expression of a split point between ``lo`` and ``hi``; ``k`` of ``n`` is the number.
_SPLITS = {
    "int2": "div(hi::numeric * k + lo::numeric * (n - k), n)",
    "int4": "div(hi::numeric * k + lo::numeric * (n - k), n)",
    "int8": "div(hi::numeric * k + lo::numeric * (n - k), n)",
    "numeric": "(hi * k + lo * (n - k)) / n",
    "date": "lo + (hi - lo) * k / n",
    "timestamp": "lo + (hi - lo) * (k::float8 / n)",
    "timestamptz": "lo + (hi - lo) * (k::float8 / n)",
}

#: Base types that have an order and no middle: their values are dealt out by hash.
_HASHED = frozenset({"text", "varchar", "bpchar", "name", "uuid"})


def partitions(
    ask: Ask,
    *,
    relation: str,
    columns: Sequence[PlannedColumn],
    described: Sequence[DescribedColumn],
    config: LoadConfig,
    parallelism: int,
    where: str | None = None,
    rows: int | None = None,
) -> tuple[str, ...]:
    """Return disjoint, covering predicates; see :class:`airflow_dataloader.sources.dialect.Dialect`.

    Plain tables are split by the addresses of their rows, which needs no column and makes even parts; all
    else by the row's partition_column, or not at all. Ranges of numbers and times can use an index; hashes of
    texts cannot, and each part looks at all rows.
    """
    column = None
    if config.partition_column is not None:
        planned = find_column(columns, config.partition_column, field="partition_column")
        column = described[columns.index(planned)]
    wanted = config.num_partitions or parallelism
    if wanted <= 1 or (config.num_partitions is None and rows is not None and rows < SMALL_ROWS):
        return ()
    if config.query is None:
        blocks = heap_blocks(ask, relation, config.source)
        if blocks is not None:
            main, total = blocks
            worthwhile = main if config.num_partitions else total // SMALL_BLOCKS
            return block_ranges(main, min(wanted, worthwhile))
    if column is None:
        return ()
    return _column_ranges(ask, relation, column, config=config, parts=wanted, where=where)


def heap_blocks(ask: Ask, relation: str, source: SourceTable) -> tuple[int, int] | None:
    """Return a plain table's pages, alone and with what it keeps out of line; None for anything else.

    Views, partitioned and foreign tables have no row addresses that could be scanned in ranges, and those of
    a table with children are of several tables: its own pages do not say how many rows a range has. (It still
    counts as one for a while after its last child is gone.) The inner
    subquery reads nothing; it holds the table's lock to the end of the transaction, so that no rewrite of the
    table moves its rows while other connections read them.
    """
    name = ".".join(quote(part) for part in (source.schema, source.name) if part)
    found = ask(
        f"SELECT pg_relation_size(c.oid) / b.bytes, pg_table_size(c.oid) / b.bytes "
        f"FROM (SELECT current_setting('block_size')::int8 AS bytes) AS b, "
        f"pg_class AS c JOIN pg_am AS a ON a.oid = c.relam "
        f"WHERE c.oid = to_regclass({literal(name)}) AND c.relkind = 'r' AND NOT c.relhassubclass "
        f"AND a.amname = 'heap' "
        f"AND current_setting('server_version_num')::int4 >= {_TID_RANGE_SCAN} "
        f"AND NOT EXISTS (SELECT FROM (SELECT FROM {relation} LIMIT 0) AS locked)"
    )
    return (int(found[0][0]), int(found[0][1])) if found else None


def block_ranges(blocks: int, parts: int) -> tuple[str, ...]:
    """Return ``parts`` ranges of row addresses over ``blocks`` pages; the last one has no end."""
    bounds = sorted({blocks * number // parts for number in range(1, parts)} - {0}) if parts > 1 else []
    return ranges("ctid", [f"'({block},0)'::tid" for block in bounds], nulls=False)


def hash_parts(x: str, parts: int) -> tuple[str, ...]:
    """Return ``parts`` predicates that deal a text's or uuid's values out by hash; NULL is in the first."""
    number = f'coalesce(abs(hashtextextended(CAST({x} AS text) COLLATE "C", 0) % {parts}), 0)'
    return tuple(f"{number} = {part}" for part in range(parts))


def _column_ranges(
    ask: Ask, relation: str, column: DescribedColumn, *, config: LoadConfig, parts: int, where: str | None
) -> tuple[str, ...]:
    if not column.array and column.base in _HASHED:
        return hash_parts(quote(column.name), parts)
    if column.array or column.base not in _SPLITS:
        raise ConfigurationError(
            f"partition_column {column.name!r} is {column.declared}, which cannot be split.",
            field="partition_column",
            fix="name a number, date, timestamp, text or uuid column, or leave it empty",
        )
    given = {"lower_bound": config.lower_bound, "upper_bound": config.upper_bound}
    unkept = [name for name, text in given.items() if text and not _checked_bound(ask, column, name, text)]
    try:
        points = ask(_split_sql(relation, column, config=config, parts=parts, where=where))
    except DataloaderError as error:
        if not unkept or not (error.sqlstate or "").startswith(DATA_EXCEPTION):
            raise
        # Nothing lies halfway to it.
        raise _no_bound(column, unkept[0], given[unkept[0]], error.sqlstate) from None
    bounds = list(dict.fromkeys(f"CAST({literal(text)} AS {column.base})" for (text,) in points if text))
    return ranges(quote(column.name), bounds, nulls=True)


def _checked_bound(ask: Ask, column: DescribedColumn, name: str, text: str) -> bool:
    """Return whether the target could keep a bound; raise ConfigurationError if it is no value of the column.

    Asked by itself: where the relation is read, what a query or view computes may fail in the same way.
    """
    kept = keep(column, "x").kept or "true"
    try:
        ((found,),) = ask(f"SELECT {kept} FROM (SELECT CAST({literal(text)} AS {column.base}) AS x) AS b")
    except DataloaderError as error:
        if not (error.sqlstate or "").startswith(DATA_EXCEPTION):
            raise
        raise _no_bound(column, name, text, error.sqlstate) from None
    return found is not False


def _no_bound(
    column: DescribedColumn, name: str, text: str | None, sqlstate: str | None
) -> ConfigurationError:
    return ConfigurationError(
        f"{name} {text!r} is not a {column.declared} that column {column.name!r} could hold.",
        field=name,
        fix="set it to a value of partition_column, or leave it empty: it is then asked for",
        sqlstate=sqlstate,
    )


def _split_sql(
    relation: str, column: DescribedColumn, *, config: LoadConfig, parts: int, where: str | None
) -> str:
    x = quote(column.name)
    kept = keep(column, x).kept
    conditions = [f"({part})" for part in (where, kept) if part]
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    low, high = (
        f"coalesce(CAST({literal(given) if given else 'NULL'} AS {column.base}), {extreme}({x}))"
        for given, extreme in ((config.lower_bound, "min"), (config.upper_bound, "max"))
    )
    return (
        f"SELECT CAST(CAST({_SPLITS[column.base]} AS {column.base}) AS text) "
        # In order, whatever bounds a row names: points that fall would make ranges that overlap.
        "FROM (SELECT least(a, z) AS lo, greatest(a, z) AS hi "
        f"FROM (SELECT {low} AS a, {high} AS z FROM {relation}{condition}) AS e) AS b, "
        f"(SELECT k, {parts} AS n FROM generate_series(1, {parts - 1}) AS k) AS s ORDER BY k"
    )


def ranges(x: str, bounds: Sequence[str], *, nulls: bool) -> tuple[str, ...]:
    """Return the ranges between the bounds, the first and the last without end; with ``nulls`` NULL, too."""
    if not bounds:
        return ()
    first = f"{x} < {bounds[0]}" + (f" OR {x} IS NULL" if nulls else "")
    middle = [f"{x} >= {low} AND {x} < {high}" for low, high in pairwise(bounds)]
    return (first, *middle, f"{x} >= {bounds[-1]}")
