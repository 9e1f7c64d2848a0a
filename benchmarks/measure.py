"""What several benchmarks measure alike: time, and a JVM's memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Figure
from benchmarks.stand import HEAP, Stand


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def memory(stand: Stand, table: str, rows: int) -> Figure:
    """Load the table once through a fresh server; return the peak of what its JVM had in memory."""
    config_id = stand.row(table, destination_table_name=f"{table}_memory", num_partitions=2)
    with stand.connect() as (engine, server):
        stand.load(stand.worker(engine), config_id)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return Figure(f"JVM's peak in memory, heap {HEAP}, {rows:,} rows", int(kilobytes) / 1024, "MiB")
