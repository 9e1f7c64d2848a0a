"""What several benchmarks measure alike: time, and the memory of a JVM and of the loader that uses it."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from benchmarks.report import Figure
from benchmarks.stand import Stand, succeeded

#: Of a server whose memory is measured: what it is given is soon taken, and has to do for tables of any size.
SMALL_HEAP = "1g"


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def memory(
    stand: Stand, table: str, rows: int, strategy: str = "full", *, times: int = 1, **columns: Any
) -> list[Figure]:
    """Load the table ``times`` times, each into a target of its own; return the peaks in memory.

    They are those of a fresh server that does it, and of the fresh process that asks for it.
    """
    ids = [
        stand.row(
            table,
            load_strategy=strategy,
            destination_table_name=f"{table}_{strategy}_memory_{number}",
            num_partitions=2,
            **columns,
        )
        for number in range(times)
    ]
    with stand.connect(SMALL_HEAP) as (_, server):
        loads = [stand.claim(config_id) for config_id in ids]
        client = Client(
            control_url=stand.control_url, secrets=stand.secrets, home=stand.home, remote=server.remote
        )
        # A process that remembers nothing of this one, whose own peak would be that of all its loads.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            loader = process.submit(client.load, loads).result()
        jvm = peak(server.pid)
    what = f"{strategy}, {f'{times} × ' if times > 1 else ''}{rows:,} rows"
    return [
        Figure(f"JVM's peak in memory, heap {SMALL_HEAP}, {what}", jvm, "MiB"),
        Figure(f"loader's peak in memory, {what}", loader, "MiB"),
    ]


@dataclass(frozen=True, kw_only=True)
class Client:
    """A loader in a process of its own, at a server that is there."""

    control_url: str
    secrets: dict[str, str]
    home: Path
    remote: str

    def load(self, loads: Sequence[LoadIds]) -> float:
        """Run what was claimed, one after another; return the MiB that this process has taken at most."""
        with (
            closing(open_engine(EngineSettings(home=self.home, remote=self.remote))) as engine,
            closing_pool(create_engine(self.control_url)) as control,
        ):
            secrets = SecretChain(EnvironmentSecrets(self.secrets))
            for ids in loads:
                succeeded(run_load(LoaderContext(control=control, engine=engine, secrets=secrets), ids))
        return peak()


def peak(pid: int | None = None) -> float:
    """Return the MiB that a process has had in memory at most; None: this one."""
    status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8")
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


@contextmanager
def closing_pool(control: Engine) -> Iterator[Engine]:
    """Close the pool of connections when the block ends."""
    try:
        yield control
    finally:
        control.dispose()
