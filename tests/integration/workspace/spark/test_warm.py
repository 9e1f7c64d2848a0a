"""A warm server of our own: watched, and replaced when it has to be."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import psutil
import pytest
from pyspark.sql.connect import proto

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.connect import connect
from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings
from airflow_dataloader.workspace.spark import warm
from airflow_dataloader.workspace.spark.address import with_session
from airflow_dataloader.workspace.spark.warm import WarmSeat, WarmSpark, Watch, resident_bytes
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


def seat_on(spark: WarmSpark) -> WarmSeat:
    """Return a seat, as soon as there is a server."""
    seats: list[WarmSeat] = []

    def taken() -> bool:
        seat = spark.take_seat()
        seats.extend([seat] if seat is not None else [])
        return bool(seats)

    until(taken)
    return seats[0]


def test_one_server_after_another(spark: WarmSpark, starts: Starts) -> None:
    assert spark.describe() == "Spark is starting."

    # Killed: whoever used it gets nothing of the next one, and keeps nothing from it.
    seat = seat_on(spark)
    first = starts.pid
    assert seat_on(spark) is not seat
    os.kill(first, signal.SIGKILL)
    seat.end(str(uuid4()))
    until(lambda: not psutil.pid_exists(first))

    # Swollen: it takes no new work, and is replaced when those that use it have ended.
    seat = seat_on(spark)
    second = starts.pid
    session = str(uuid4())
    client = connect(with_session(seat.remote, session))
    assert client.range(5).count() == 5
    spark.watch = replace(WATCH, most_bytes=1)
    until(lambda: "swollen" in spark.describe())
    assert spark.take_seat() is None
    assert client.range(5).count() == 5
    assert starts.pid == second
    client.client.close()
    seat.end(session)
    until(lambda: not psutil.pid_exists(second))
    spark.watch = WATCH

    # Hung: it listens, and does not answer.
    seat = seat_on(spark)
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
    assert spark.take_seat() is None
    assert starts.servers[-1].pid is None


def test_a_server_that_does_not_start_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "_PAUSES", (0.05,))
    tries = []

    def start(log: Path) -> ConnectServer:
        tries.append(log)
        raise EngineFailed("No room.")

    spark = WarmSpark(start, log_file=tmp_path / "l", note=tmp_path / "n", watch=WATCH)
    until(lambda: len(tries) > 2)
    assert spark.take_seat() is None
    assert spark.describe() == "Spark does not start: No room."
    spark.close()


#: Generated code without types.
SERVICER: Any = proto.SparkConnectServiceServicer


class Busy(SERVICER):  # type: ignore[misc]  # see above
    """A server's process and its address, which leaves as many questions unanswered as it is told."""

    def __init__(self, log: Path) -> None:
        self.unanswered = 0
        self.pid: int | None = None
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        proto.add_SparkConnectServiceServicer_to_server(self, self._grpc)
        self.remote = f"sc://localhost:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def start(self) -> None:
        self._process = subprocess.Popen(["sleep", "600"])
        self.pid = self._process.pid
        self._grpc.start()

    def stop(self) -> None:
        if self.pid is not None:
            self._process.kill()
            self._process.wait()
            self.pid = None
            self._grpc.stop(None)

    def Interrupt(self, request: Any, context: grpc.ServicerContext) -> Any:
        if self.unanswered:
            self.unanswered -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
        return proto.InterruptResponse()

    def ReleaseSession(self, request: Any, context: grpc.ServicerContext) -> Any:
        return proto.ReleaseSessionResponse()


class BusyStarts(list[Busy]):
    """Starts such servers, and remembers them."""

    def __call__(self, log: Path) -> Busy:
        self.append(Busy(log))
        return self[-1]


@pytest.fixture
def busy_starts() -> BusyStarts:
    return BusyStarts()


@pytest.fixture
def busy_spark(
    busy_starts: BusyStarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[WarmSpark]:
    monkeypatch.setattr(warm, "_SESSION_PAUSES", (0.05, 0.05))
    never = replace(WATCH, ask_every=1_000_000)
    spark = WarmSpark(busy_starts, log_file=tmp_path / "l", note=tmp_path / "n", watch=never)
    yield spark
    spark.close()


def test_a_question_unanswered_after_a_success_costs_no_other_run_its_server(
    busy_spark: WarmSpark, busy_starts: BusyStarts
) -> None:
    done, other = seat_on(busy_spark), seat_on(busy_spark)
    (server,) = busy_starts
    server.unanswered = 10
    done.release(str(uuid4()))
    assert server.pid is not None
    assert busy_spark.take_seat() is None
    assert "replaced when it is free" in busy_spark.describe()
    server.unanswered = 0
    other.release(str(uuid4()))
    seat_on(busy_spark)
    assert server.pid is None
    assert len(busy_starts) == 2


@pytest.mark.parametrize("ends", [WarmSeat.end, WarmSeat.release])
def test_a_session_that_is_to_end_is_asked_to_again(
    ends: Callable[[WarmSeat, str], None], busy_spark: WarmSpark, busy_starts: BusyStarts
) -> None:
    seat = seat_on(busy_spark)
    (server,) = busy_starts
    server.unanswered = 2
    ends(seat, str(uuid4()))
    assert server.pid is not None
    assert server.unanswered == 0
    assert busy_spark.take_seat() is not None


def test_a_server_that_never_ends_a_session_is_stopped(
    busy_spark: WarmSpark, busy_starts: BusyStarts
) -> None:
    seat = seat_on(busy_spark)
    (server,) = busy_starts
    server.unanswered = 10
    seat.end(str(uuid4()))
    assert server.pid is None


def test_memory_is_that_of_the_whole_family() -> None:
    assert resident_bytes(os.getpid()) > 1_000_000
    assert resident_bytes(2**22 + 1) == 0
