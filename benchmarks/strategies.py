"""Every strategy's first load of six million rows, and a MERGE of one percent of them.

lineitem with a key and a cursor, two partitions, one Spark Connect server with 2 GB of heap. The rows that a
MERGE brings are scattered over the table, every hundredth, or lie together at its end. Memory is the peak of
a JVM, and of a loader's process, that have done nothing but first loads, straight from the read or by way of
a stage, with 1 GB: one of many rows, or of few rows as many as make the same number, because a JVM fills its
heap by working, whatever the size of its tables. The large table may take a fifth more, or the benchmark
fails.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_dataloader.loader.engines.protocol import Engine
from benchmarks import lineitem
from benchmarks.measure import memory, seconds
from benchmarks.report import Figure, report
from benchmarks.stand import Stand

TABLE = "lineitem_keyed"
#: Rows of the tables that memory is compared with.
FEW, MANY = 1_000_000, 12_000_000
#: How many times the memory of few rows many may take.
MOST = 1.2

_CURSOR = {"primary_key_cols": "id", "incremental_column": "changed_at", "lookback": "0 seconds"}
STRATEGIES: dict[str, dict[str, Any]] = {
    "full": {},
    "incremental": _CURSOR,
    "append_only": _CURSOR,
    "rolling": {"rolling_column": "changed_at", "rolling_days": 100_000},
    "check_and_load": _CURSOR,
    "chunked_backfill": _CURSOR,
}
CHANGES = {"every hundredth row": "id % 100 = 0", "the last rows": "id > {rows} * 0.99"}


def main() -> None:
    """Load with each strategy, change one percent and merge it; print rows a second, and memory."""
    with Stand() as stand:
        rows = lineitem.fill(stand.source, stand.home)
        lineitem.keyed(stand.source, TABLE)
        lineitem.copy_of(stand.source, "warm_up", 10_000)
        with stand.connect() as (engine, _):
            stand.load(stand.context(engine), stand.row("warm_up"))
            made = {name: _row(stand, name) for name in STRATEGIES}
            figures = [_first(stand, engine, name, made[name], rows) for name in STRATEGIES]
            figures += _merges(stand, engine, made["incremental"], rows)
        memories = compare_memory(stand)
    report("strategies", figures + memories)
    refuse_growth(memories)


def compare_memory(stand: Stand, few: int = FEW, many: int = MANY) -> list[Figure]:
    """Load small tables and a large one, with and without a stage; return the peaks, and their ratios."""
    for table, number in (("few", few), ("many", many)):
        lineitem.copy_of(stand.source, f"{table}_plain", number)
        lineitem.keyed(stand.source, table, f"{table}_plain")
        stand.source.execute(f"DROP TABLE {table}_plain")
    figures: list[Figure] = []
    for strategy in ("full", "incremental"):
        times = many // few
        less = memory(stand, "few", few, strategy, times=times, **STRATEGIES[strategy])
        more = memory(stand, "many", many, strategy, **STRATEGIES[strategy])
        for one, other in zip(less, more, strict=True):
            figures += [one, replace(other, ratio_to=(f"{times} × {few:,} rows", other.value / one.value))]
    return figures


def refuse_growth(memories: list[Figure]) -> None:
    """End with status 1 where many rows take more memory than they may."""
    grown = [figure.name for figure in memories if figure.ratio_to and figure.ratio_to[1] > MOST]
    if grown:
        raise SystemExit(f"More than {MOST} times the memory: {'; '.join(grown)}.")


def _first(stand: Stand, engine: Engine, strategy: str, row: int, rows: int) -> Figure:
    """Load everything into a new target."""
    spent = seconds(lambda: stand.load(stand.context(engine), row))
    print(f"{strategy}: {spent:.1f} s", flush=True)
    return Figure(f"{strategy}, first load of {rows:,} rows", rows / spent, "rows/s")


def _merges(stand: Stand, engine: Engine, row: int, rows: int) -> list[Figure]:
    """Merge each change into the target that the first load has made."""
    figures = []
    for name, which in CHANGES.items():
        changed = stand.source.execute(
            f"UPDATE {TABLE} SET l_tax = l_tax + 1, changed_at = clock_timestamp() "
            f"WHERE {which.format(rows=rows)}"
        ).rowcount
        spent = seconds(lambda: stand.load(stand.context(engine), row))
        figures.append(Figure(f"MERGE of {changed:,} rows, {name}", changed / spent, "rows/s"))
        figures.append(Figure(f"MERGE of {changed:,} rows, {name}", spent, "s"))
    return figures


def _row(stand: Stand, strategy: str) -> int:
    return stand.row(
        TABLE,
        load_strategy=strategy,
        destination_table_name=f"lineitem_{strategy}",
        num_partitions=2,
        **STRATEGIES[strategy],
    )


if __name__ == "__main__":
    main()
