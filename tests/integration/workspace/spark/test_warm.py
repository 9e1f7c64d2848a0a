"""A warm server of our own: watched, and replaced when it has to be."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.connect import connect
from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings
from airflow_dataloader.workspace.spark import warm
from airflow_dataloader.workspace.spark.address import with_session
from airflow_dataloader.workspace.spark.warm import WarmLease, WarmSpark, Watch, resident_bytes
from tests.waiting import until

WATCH = Watch(most_bytes=2**40, look=0.2, ask_every=5, answer=20.0, unanswered=3)


class Starts:
    """Starts servers, and remembers them."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.servers: list[ConnectServer] = []

    def __call__(self, log: Path) -> ConnectServer:
        self.servers.append(ConnectServer(server_settings(self._home, cores=2, memory="1g"), log))
        return self.servers[-1]

    @property
    def pid(self) -> int:
        pid = self.servers[-1].pid
        assert pid is not None
        return pid


@pytest.fixture
def starts(home: Path) -> Starts:
    return Starts(home)


@pytest.fixture
def spark(starts: Starts, tmp_path: Path) -> Iterator[WarmSpark]:
    spark = WarmSpark(starts, log_file=tmp_path / "spark.log", note=tmp_path / "spark.json", watch=WATCH)
    yield spark
    spark.close()


def lease_on(spark: WarmSpark) -> WarmLease:
    """Return a lease, as soon as there is a server."""
    leases: list[WarmLease] = []

    def taken() -> bool:
        lease = spark.lease()
        leases.extend([lease] if lease is not None else [])
        return bool(leases)

    until(taken)
    return leases[0]


def test_one_server_after_another(spark: WarmSpark, starts: Starts) -> None:
    assert spark.describe() == "Spark is starting."

    # Killed: whoever used it gets nothing of the next one, and keeps nothing from it.
    lease = lease_on(spark)
    first = starts.pid
    assert lease_on(spark) is not lease
    os.kill(first, signal.SIGKILL)
    lease.end(str(uuid4()))
    until(lambda: not psutil.pid_exists(first))

    # Swollen: it takes no new work, and is replaced when those that use it have ended.
    lease = lease_on(spark)
    second = starts.pid
    session = str(uuid4())
    client = connect(with_session(lease.remote, session))
    assert client.range(5).count() == 5
    spark.watch = replace(WATCH, most_bytes=1)
    until(lambda: "swollen" in spark.describe())
    assert spark.lease() is None
    assert client.range(5).count() == 5
    assert starts.pid == second
    client.client.close()
    lease.end(session)
    until(lambda: not psutil.pid_exists(second))
    spark.watch = WATCH

    # Hung: it listens, and does not answer.
    lease = lease_on(spark)
    third = starts.pid
    spark.watch = replace(WATCH, answer=1.0, ask_every=1, unanswered=2)
    os.kill(third, signal.SIGSTOP)
    until(lambda: starts.servers[-1].pid not in (third, None))
    spark.watch = WATCH
    assert not psutil.pid_exists(third)
    assert len(starts.servers) == 4
    assert len({server.settings.token for server in starts.servers}) == 4

    # Stopped while it starts.
    spark.close()
    assert spark.lease() is None
    assert starts.servers[-1].pid is None


def test_a_server_that_does_not_start_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_PAUSES", (0.05,))
    tries = []

    def start(log: Path) -> ConnectServer:
        tries.append(log)
        raise EngineFailed("No room.")

    spark = WarmSpark(start, log_file=tmp_path / "l", note=tmp_path / "n", watch=WATCH)
    until(lambda: len(tries) > 2)
    assert spark.lease() is None
    assert spark.describe() == "Spark does not start: No room."
    spark.close()


def test_memory_is_that_of_the_whole_family() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000
    assert resident_bytes(2**22 + 1) == 0
