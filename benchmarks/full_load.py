"""PostgreSQL to Delta, TPC-H lineitem at scale 1, strategy full, against a bare PySpark script.

Both read the same ranges of the table by JDBC and write one Delta table, in one JVM with 2 GB of heap, in
turn; the bare script claims, counts, proves and settles nothing. COPY shows what PostgreSQL itself needs to
hand the rows out once, over one connection.
"""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable

from pyspark.sql import SparkSession

from airflow_dataloader.workspace import postgres_binaries
from benchmarks import lineitem
from benchmarks.measure import seconds
from benchmarks.report import Figure, report
from benchmarks.stand import Stand

#: Pairs of runs by number of partitions.
RUNS = {2: 5, 1: 3}


def main() -> None:
    """Run both in turn; print medians, and the median of the pairs' ratios."""
    with Stand() as stand:
        rows = lineitem.fill(stand.source, stand.home)
        copies = [seconds(lambda: copy_binary(stand)) for _ in range(RUNS[2])]
        copy = statistics.median(copies)
        figures = [Figure("COPY (FORMAT binary), one connection", copy, "s")]
        with stand.classic() as engine:
            worker = stand.context(engine)
            spark = SparkSession.active()
            for partitions, runs in RUNS.items():
                name = f"lineitem_{partitions}"
                config_id = stand.row("lineitem", destination_table_name=name, num_partitions=partitions)
                pairs = in_turn(
                    lambda: bare_script(spark, stand, partitions),  # noqa: B023  called before the next
                    lambda: stand.load(worker, config_id),  # noqa: B023
                    runs,
                )
                figures += compared(
                    f"{partitions} partition{'s' if partitions > 1 else ''}", pairs, copy, rows
                )
    report("full_load", figures)


def in_turn(bare: Callable[[], object], ours: Callable[[], object], runs: int) -> list[tuple[float, float]]:
    """Return the seconds of both, pair by pair, after one run of each that does not count."""
    bare(), ours()
    pairs = []
    for number in range(runs):
        # Who goes first changes, so that neither always finds what the other left behind.
        if number % 2:
            second = seconds(ours)
            pairs.append((seconds(bare), second))
        else:
            pairs.append((seconds(bare), seconds(ours)))
        print(f"bare {pairs[-1][0]:.1f} s, loader {pairs[-1][1]:.1f} s", flush=True)
    return pairs


def compared(name: str, pairs: list[tuple[float, float]], copy: float, rows: int) -> list[Figure]:
    """Return medians of both, and the median of the pairs' ratios."""
    script = statistics.median(pair[0] for pair in pairs)
    loader = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    return [
        Figure(f"bare PySpark script, {name}", script, "s", ratio_to=("COPY", script / copy)),
        Figure(f"loader, claim to settled, {name}", loader, "s", ratio_to=("bare script", ratio)),
        Figure(f"loader, {name}", rows / loader, "rows/s"),
    ]


def bare_script(spark: SparkSession, stand: Stand, partitions: int) -> None:
    """Read and write as anybody would, with the ranges that the loader uses."""
    ((pages,),) = stand.source.execute("SELECT pg_relation_size('lineitem') / 8192").fetchall()
    middle = f"'({pages // 2},0)'::tid"
    halves = [f"ctid < {middle}", f"ctid >= {middle}"]
    frame = spark.read.jdbc(
        stand.jdbc_url,
        "lineitem",
        predicates=halves if partitions > 1 else ["true"],
        properties={
            "user": stand.server.user,
            "password": stand.server.password,
            "driver": "org.postgresql.Driver",
            "fetchsize": "10000",
        },
    )
    frame.write.format("delta").mode("overwrite").save(str(stand.home / "warehouse" / "bare"))


def copy_binary(stand: Stand) -> None:
    """Have psql throw the rows away."""
    command = r"\copy lineitem to '/dev/null' (format binary)"
    psql = postgres_binaries.find() / "psql"
    subprocess.run([str(psql), "-q", stand.source_url, "-c", command], check=True)


if __name__ == "__main__":
    main()
