"""PostgreSQL to Delta, TPC-H lineitem at scale 1, strategy full, against a bare PySpark script.

Both read the same two halves of the table by JDBC and write one Delta table, in one JVM with 2 GB of heap,
in turn; the bare script claims, counts, proves and settles nothing. COPY shows what PostgreSQL itself needs
to hand the rows out once, over one connection.
"""

from __future__ import annotations

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
from benchmarks.stand import Stand

SCALE = 1
RUNS = 5
PARTITIONS = 2

LINEITEM = """
CREATE TABLE lineitem (
    l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer,
    l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
    l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
    l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44))
"""


def main() -> None:
    """Run both in turn and print their medians and the median of the ratios."""
    with Stand() as stand:
        rows = fill(stand.source, stand.folder)
        config_id = stand.row("lineitem", num_partitions=PARTITIONS)
        spark = SparkSession.active()
        bare = lambda: bare_script(spark, stand)  # noqa: E731
        ours = lambda: stand.load(config_id)  # noqa: E731
        bare(), ours()
        pairs = [(seconds(bare), seconds(ours)) for _ in range(RUNS)]
        copy = statistics.median(seconds(lambda: copy_binary(stand)) for _ in range(RUNS))
    script = statistics.median(pair[0] for pair in pairs)
    loader = statistics.median(pair[1] for pair in pairs)
    ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
    report(
        "full_load",
        [
            Figure("COPY (FORMAT binary), one connection", copy, "s"),
            Figure(
                f"bare PySpark script, {PARTITIONS} partitions", script, "s", ratio_to=("COPY", script / copy)
            ),
            Figure("loader, claim to settled", loader, "s", ratio_to=("bare script", ratio)),
            Figure("loader", rows / loader, "rows/s"),
        ],
    )


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
    source.execute(LINEITEM)
    with (
        (folder / "lineitem.csv").open("rb") as file,
        source.cursor().copy("COPY lineitem FROM STDIN (FORMAT csv, HEADER true)") as copy,
    ):
        while block := file.read(1 << 20):
            copy.write(block)
    (folder / "lineitem.csv").unlink()
    source.execute("VACUUM (ANALYZE) lineitem")
    ((rows,),) = source.execute("SELECT count(*) FROM lineitem").fetchall()
    return int(rows)


def bare_script(spark: SparkSession, stand: Stand) -> None:
    """Read and write as anybody would, with the partitions that the loader uses."""
    ((pages,),) = stand.source.execute("SELECT pg_relation_size('lineitem') / 8192").fetchall()
    middle = pages // PARTITIONS
    frame = spark.read.jdbc(
        stand.jdbc_url,
        "lineitem",
        predicates=[f"ctid < '({middle},0)'::tid", f"ctid >= '({middle},0)'::tid"],
        properties={
            "user": stand.server.user,
            "password": stand.server.password,
            "driver": "org.postgresql.Driver",
            "fetchsize": "10000",
        },
    )
    frame.write.format("delta").mode("overwrite").save(str(stand.folder / "bare"))


def copy_binary(stand: Stand) -> None:
    """Have psql throw the rows away."""
    command = r"\copy lineitem to '/dev/null' (format binary)"
    psql = postgres_binaries.find() / "psql"
    subprocess.run([str(psql), "-q", stand.source_url, "-c", command], check=True)


if __name__ == "__main__":
    main()
