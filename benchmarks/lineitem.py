"""TPC-H's lineitem in the benchmarks' source: as it is generated, and with a key and a cursor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg

SCALE = 1

_COLUMNS = """
    l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber integer,
    l_quantity numeric(15,2), l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2),
    l_returnflag char(1), l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date,
    l_shipinstruct char(25), l_shipmode char(10), l_comment varchar(44)"""


def fill(source: psycopg.Connection, folder: Path) -> int:
    """Generate ``lineitem`` and copy it in; return its number of rows."""
    generator = str(Path(sys.executable).with_name("tpchgen-cli"))
    options = ["-s", str(SCALE), "--tables", "lineitem", "--output-dir", str(folder)]
    subprocess.run([generator, "csv", *options], check=True, stdout=subprocess.DEVNULL)
    source.execute(f"CREATE TABLE lineitem ({_COLUMNS})")
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


def copy_of(source: psycopg.Connection, table: str, rows: int) -> None:
    """Make ``table`` of ``rows`` rows, those of ``lineitem`` over and over, as it is."""
    source.execute(f"CREATE TABLE {table} ({_COLUMNS})")
    left = rows
    while left > 0:
        made = source.execute(f"INSERT INTO {table} SELECT * FROM lineitem LIMIT {left}").rowcount
        left -= made
    source.execute(f"VACUUM (ANALYZE) {table}")


def keyed(source: psycopg.Connection, table: str, of: str = "lineitem") -> None:
    """Make ``table`` of the rows of ``of`` with the key ``id`` and the cursor ``changed_at``.

    The rows are two seconds apart, so that scale 1 is some 140 days.
    """
    number = "row_number() OVER ()"
    changed_at = f"timestamptz '2026-01-01' + {number} * interval '2 seconds'"
    source.execute(f"CREATE TABLE {table} AS SELECT {number} AS id, {changed_at} AS changed_at, * FROM {of}")
    source.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
    source.execute(f"CREATE INDEX ON {table} (changed_at)")
    source.execute(f"VACUUM (ANALYZE) {table}")
