"""A MERGE of the newest rows of a table that has grown load by load, with and without the range of the keys.

A table that grows by a sequence gets files of one range of keys each, and its newest rows are those that
change. Both MERGEs are the loader's, in turn at one target through one Spark Connect server; the other one
lacks the condition that leaves files out.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_dataloader.loader.engines.spark import merge
from benchmarks.measure import seconds
from benchmarks.report import Figure, report
from benchmarks.stand import Stand

#: Loads that the table grows by, rows of each, and rows that change before each MERGE.
LOADS, EACH, CHANGED = 12, 250_000, 10_000
PAIRS = 5


def main() -> None:
    """Let a table grow, then change its newest rows and merge them; print medians and their ratio."""
    with Stand() as stand, stand.connect() as (engine, _):
        worker = stand.worker(engine)
        stand.source.execute(
            "CREATE TABLE growing "
            "(id bigint PRIMARY KEY, changed bigint, day date, price numeric(12,2), note text)"
        )
        row = stand.row(
            "growing", load_strategy="incremental", primary_key_cols="id", incremental_column="changed"
        )
        for number in range(LOADS):
            stand.source.execute(
                "INSERT INTO growing SELECT n, n, date '2026-01-01' + (n % 300)::int, n / 7.0, md5(n::text) "
                f"FROM generate_series({number * EACH + 1}, {(number + 1) * EACH}) n"
            )
            stand.load(worker, row)

        def change_and_load() -> float:
            stand.source.execute(
                f"UPDATE growing SET price = price + 1, changed = {LOADS * EACH} + nextval('changes') "
                f"WHERE id > {LOADS * EACH - CHANGED}"
            )
            return seconds(lambda: stand.load(worker, row))

        stand.source.execute("CREATE SEQUENCE changes")
        change_and_load()
        pairs = []
        for _ in range(PAIRS):
            ranged = change_and_load()
            with _no_range():
                pairs.append((change_and_load(), ranged))
            print(f"without {pairs[-1][0]:.1f} s, with its range {ranged:.1f} s", flush=True)
    without, ranged = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    rows = f"{CHANGED:,} of {LOADS * EACH:,} rows"
    report(
        "merge_tail",
        [
            Figure(f"without a range, claim to settled, {rows}", without, "s"),
            Figure(f"with the range of the keys, {rows}", ranged, "s", ratio_to=("without", ratio)),
        ],
    )


@contextmanager
def _no_range() -> Iterator[None]:
    kept = merge._range
    merge._range = lambda *_: []
    try:
        yield
    finally:
        merge._range = kept


if __name__ == "__main__":
    main()
