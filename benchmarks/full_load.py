"""PostgreSQL to Delta, TPC-H lineitem at scale 1, strategy full, against a bare PySpark script.

Both read the same ranges of the table by JDBC and write one Delta table, in one JVM with 2 GB of heap, in
turn; the bare script claims, counts, proves and settles nothing. COPY shows what PostgreSQL itself needs to
hand the rows out once, over one connection. Memory is the peak of a JVM that has done nothing else.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from pyspark.sql import SparkSession

from airflow_dataloader.workspace import postgres_binaries
from benchmarks.report import Figure, report
from benchmarks.stand import HEAP, Stand

SCALE = 1
#: Pairs of runs by number of partitions.
RUNS = {2: 5, 1: 3}
#: Rows of the smaller table that memory is compared with.
FEW = 1_000_000

LINEITEM = """
CREATE TABLE {} (
    l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer,
    l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
    l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
    l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44))
"""


def main() -> None:
    """Run both in turn; print medians, the median of the pairs' ratios, and memory."""
    with Stand() as stand:
        rows = fill(stand.source, stand.home)
        copies = [seconds(lambda: copy_binary(stand)) for _ in range(RUNS[2])]
        copy = statistics.median(copies)
        figures = [Figure("COPY (FORMAT binary), one connection", copy, "s")]
        with stand.classic() as engine:
            worker = stand.worker(engine)
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
        figures += [memory(stand, "lineitem_few", FEW), memory(stand, "lineitem", rows)]
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


def memory(stand: Stand, table: str, rows: int) -> Figure:
    """Load the table once through a fresh server; return the peak of what its JVM had in memory."""
    config_id = stand.row(table, destination_table_name=f"{table}_memory", num_partitions=2)
    with stand.connect() as (engine, server):
        stand.load(stand.worker(engine), config_id)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return Figure(f"JVM's peak in memory, heap {HEAP}, {rows:,} rows", int(kilobytes) / 1024, "MiB")


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def fill(source: psycopg.Connection, folder: Path) -> int:
    """Generate lineitem and copy it in; return its number of rows."""
    generator = str(Path(sys.executable).with_name("tpchgen-cli"))
    options = ["-s", str(SCALE), "--tables", "lineitem", "--output-dir", str(folder)]
    subprocess.run([generator, "csv", *options], check=True, stdout=subprocess.DEVNULL)
    source.execute(LINEITEM.format("lineitem"))
    with (
        (folder / "lineitem.csv").open("rb") as file,
        source.cursor().copy("COPY lineitem FROM STDIN (FORMAT csv, HEADER true)") as copy,
    ):
        while block := file.read(1 << 20):
            copy.write(block)
    (folder / "lineitem.csv").unlink()
    source.execute(LINEITEM.format("lineitem_few"))
    source.execute(f"INSERT INTO lineitem_few SELECT * FROM lineitem LIMIT {FEW}")
    for table in ("lineitem", "lineitem_few"):
        source.execute(f"VACUUM (ANALYZE) {table}")
    ((rows,),) = source.execute("SELECT count(*) FROM lineitem").fetchall()
    return int(rows)


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
