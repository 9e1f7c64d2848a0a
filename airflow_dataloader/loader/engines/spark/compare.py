"""Compares what a source holds with a target: digests of parts first, then the keys of those that differ.

Frames are put together of SQL texts and names alone, which classic and Connect sessions read alike.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from airflow_dataloader.core.comparison import Compared, Difference, PartDifferences, PartDigest
from airflow_dataloader.core.encoding import unframed
from airflow_dataloader.core.names import quoted
from airflow_dataloader.loader.engines.protocol import Deduplication, Rows, TargetRows
from airflow_dataloader.loader.engines.spark import encoding, tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.frames import deduplicated, frame_of
from airflow_dataloader.loader.engines.spark.sql import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row


def digests(
    context: Context,
    side: Rows | TargetRows,
    compared: Compared,
    dedup: Deduplication | None,
    without: Rows | None,
) -> dict[int, PartDigest]:
    """Return the digest of every part that has rows."""
    rows = _encoded(context, side, compared, dedup, without).selectExpr("p", "1 AS n", "a", "b")
    summed = rows.groupBy("p").agg(dict.fromkeys(("n", "a", "b"), "sum"))
    with context.interrupts.statement():
        found = summed.selectExpr("p", "`sum(n)` AS n", "`sum(a)` AS a", "`sum(b)` AS b").collect()
    return {int(row.p): PartDigest(rows=int(row.n), first=int(row.a), second=int(row.b)) for row in found}


def differences(
    context: Context,
    rows: Rows,
    held: TargetRows,
    compared: Compared,
    numbers: Collection[int],
    *,
    dedup: Deduplication | None,
    without: Rows | None,
    limit: int,
) -> list[PartDifferences]:
    """Return how the parts ``numbers`` differ, those that do, each with its first ``limit`` keys."""
    wanted = f"p IN ({', '.join(map(str, sorted(numbers)))})"
    sides = [
        _by_key(_encoded(context, side, compared, chosen, without).where(wanted), compared, prefix)
        for side, chosen, prefix in ((rows, dedup, "s"), (held, None, "t"))
    ]
    # Of key k in part p, at the source (s) and the target (t): n rows, a and b the sums of their hashes, and
    # x<place> the sum of one column's.
    unlike = "sn IS NULL OR tn IS NULL OR sn <> tn OR sa <> ta OR sb <> tb"
    columns = ", ".join(
        f"CASE WHEN sn = tn AND sx{place} <> tx{place} THEN {place} END"
        for place in range(len(compared.columns))
    )
    found = sides[0].join(sides[1], "k", "full_outer").where(unlike)
    named = found.selectExpr(
        "COALESCE(sp, tp) AS p",
        "k",
        "COALESCE(sn, 0) AS sn",
        "COALESCE(tn, 0) AS tn",
        f"ARRAY_COMPACT(ARRAY({columns})) AS x",
    ).selectExpr(
        "*",
        "COUNT_IF(tn = 0) OVER (PARTITION BY p) AS missing",
        "COUNT_IF(sn = 0) OVER (PARTITION BY p) AS extra",
        "COUNT(1) OVER (PARTITION BY p) AS every",
        "ROW_NUMBER() OVER (PARTITION BY p ORDER BY k) AS place",
    )
    with context.interrupts.statement():
        samples = named.where(f"place <= {limit}").collect()
    return _parts(samples, compared)


def _encoded(
    context: Context,
    side: Rows | TargetRows,
    compared: Compared,
    dedup: Deduplication | None,
    without: Rows | None,
) -> DataFrame:
    """Return part, key and the two hashes of every row, and a number for each of its columns.

    Rows whose key is among those of ``without`` are left out, and so are other rows than the best of their
    key where ``dedup`` says so.
    """
    if isinstance(side, TargetRows):
        location = context.names.locate(side.target)
        at_version = select("*", f"{location.sql} VERSION AS OF {int(side.version)}", side.where or "")
        frame = context.spark.sql(at_version)
        types = {name.casefold(): kind for name, kind in tables.types(frame.schema).items()}
    else:
        frame = deduplicated(frame_of(context, side), side.plan.columns, dedup)
        types = {column.name.casefold(): column.type for column in side.plan.columns}
    rows = _hashed(frame, compared, types)
    if without is None:
        return rows
    others = {column.name.casefold(): column.type for column in without.plan.columns}
    keys = [encoding.canonical(quoted(key.name), others[key.name.casefold()]) for key in compared.keys]
    return rows.join(frame_of(context, without).selectExpr(f"{encoding.framed(keys)} AS k"), "k", "left_anti")


def _hashed(frame: DataFrame, compared: Compared, types: Mapping[str, str]) -> DataFrame:
    texts = {column.name: f"t{place}" for place, column in enumerate(compared.columns)}
    items = [
        f"{encoding.canonical(quoted(name), types[name.casefold()])} AS {text}"
        for name, text in texts.items()
    ]
    row = encoding.hashed(encoding.framed(list(texts.values())))
    key = encoding.framed([texts[column.name] for column in compared.keys]) if compared.keys else "h"
    parts, digest = compared.parts, encoding.hashed("k") if compared.keys else "h"
    part = f"CAST({encoding.number(digest, 0)} % {parts.count} AS INT)"
    if parts.column is not None:
        name = parts.column.name
        items.append(f"{encoding.order(quoted(name), types[name.casefold()])} AS o")
        part = encoding.range_number("o", parts)
    found = frame.selectExpr(*items).selectExpr("*", f"{row} AS h").selectExpr("*", f"{key} AS k")
    halves = [f"{encoding.number('h', place)} AS {name}" for place, name in enumerate("ab")]
    numbers = [
        f"CAST(XXHASH64({text}) AS DECIMAL(20, 0)) AS x{place}" for place, text in enumerate(texts.values())
    ]
    return found.selectExpr(f"{part} AS p", "k", *halves, *numbers)


def _by_key(rows: DataFrame, compared: Compared, prefix: str) -> DataFrame:
    """Return one line a key: how many rows have it, and the sums of what they hold."""
    names = ["n", "a", "b", *(f"x{place}" for place in range(len(compared.columns)))]
    summed = rows.selectExpr("*", "1 AS n").groupBy("k", "p").agg(dict.fromkeys(names, "sum"))
    return summed.selectExpr("k", f"p AS {prefix}p", *(f"`sum({name})` AS {prefix}{name}" for name in names))


def _parts(samples: list[Row], compared: Compared) -> list[PartDifferences]:
    by_number: dict[int, list[Row]] = {}
    for row in sorted(samples, key=lambda row: (row.p, row.place)):
        by_number.setdefault(int(row.p), []).append(row)
    return [
        PartDifferences(
            number=number,
            missing=int(rows[0].missing),
            extra=int(rows[0].extra),
            different=int(rows[0].every - rows[0].missing - rows[0].extra),
            samples=tuple(_difference(row, compared) for row in rows),
        )
        for number, rows in by_number.items()
    ]


def _difference(row: Row, compared: Compared) -> Difference:
    return Difference(
        key=unframed(row.k) if compared.keys else (row.k,),
        source_rows=int(row.sn),
        target_rows=int(row.tn),
        columns=tuple(compared.columns[place].name for place in row.x),
    )
