"""A Spark Connect server that dies under its loads: what nobody knows is said, and cleared up by the next."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.faults.accident import Beside, commits, healthy
from tests.faults.items import change_items, closed_gate, held_up, loaded_and_changed, make_gate, row_of
from tests.observers import Interfering
from tests.waiting import eventually

pytestmark = pytest.mark.faults


@pytest.fixture
def doomed(home: Path) -> Iterator[tuple[ConnectServer, Engine]]:
    """A Spark Connect server that a test may kill, and an engine at it."""
    with ConnectServer(server_settings(home, cores=2), home / "doomed.log") as server:
        engine = open_engine(EngineSettings(home=home, remote=server.settings.remote))
        yield server, engine
        # Its server is gone: it cannot say good-bye.
        with suppress(Exception), closing(engine):
            pass


def _kill(server: ConnectServer) -> None:
    assert server.pid is not None
    os.killpg(server.pid, signal.SIGKILL)
    eventually("the server's end", lambda: server.pid is None)


@pytest.mark.parametrize("strategy", ["full", "incremental"])
def test_killed_during_a_read(bench: Bench, doomed: tuple[ConnectServer, Engine], strategy: str) -> None:
    server, engine = doomed
    make_gate(bench)
    row = row_of(bench, strategy)
    bench.succeed(row)
    change_items(bench, 1, "base")
    before = commits(bench)
    warm, bench.engine = bench.engine, engine
    ids = bench.claim(row)
    with closed_gate(bench):
        loading = Beside(bench, ids)
        eventually("a read at the gate", lambda: held_up(bench, ids))
        _kill(server)
        result = loading.result()
    bench.engine = warm
    assert result.status is LoadStatus.FAILED, result
    failure = bench.history(row)[-1].failure
    assert failure["transient"] is True, failure
    # A full load reads while it writes, so what became of its write cannot be known.
    assert failure["outcome_unknown"] is (strategy == "full"), failure
    assert commits(bench) == before
    change_items(bench, 2, "base")
    assert (bench.succeed(row).receipt.fence_version is not None) is (strategy == "full")
    healthy(bench, row)


@pytest.mark.parametrize("moment", [Moment.CONNECTED, Moment.PUBLISHING, Moment.PUBLISHED])
@pytest.mark.parametrize("strategy", ["full", "incremental"])
def test_killed_at_a_moment(
    bench: Bench, doomed: tuple[ConnectServer, Engine], strategy: str, moment: Moment
) -> None:
    server, engine = doomed
    row = loaded_and_changed(bench, strategy)
    warm, bench.engine = bench.engine, engine
    bench.observer = Interfering(moment, lambda: _kill(server))
    result = bench.load(row)
    bench.engine = warm
    if moment is Moment.PUBLISHED:
        assert result.status is LoadStatus.SUCCEEDED, result
    else:
        assert result.status is LoadStatus.FAILED, result
        assert bench.history(row)[-1].failure["transient"] is True
    change_items(bench, 2)
    bench.succeed(row)
    healthy(bench, row)
