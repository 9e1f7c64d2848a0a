"""A copy of the control database that loads beside it gives the same loads and epochs out, too."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.observer import LogObserver, Moment
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.conftest import Server
from tests.faults.items import make_items, row_of
from tests.observers import Interfering
from tests.waiting import PATIENCE


@pytest.fixture
def loaded(bench: Bench, strategy: str) -> int:
    """A row that has been loaded once, and has something new at its source."""
    make_items(bench, rows=10)
    row = row_of(bench, strategy)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (100, 'new', '2026-02-01 00:00+00')")
    return row


@pytest.fixture
def copied(bench: Bench, postgres: Server, loaded: int) -> Iterator[Bench]:
    """The bench over a copy of its control database, whose secrets lead to another source."""
    control, source = f"copied_{uuid4().hex}", f"source_{uuid4().hex}"
    # Nobody may be connected to a database that is copied.
    bench.control.dispose()
    postgres.create(control, bench.control.url.database)
    postgres.create(source)
    settings = EngineSettings(home=bench.home, remote=bench.remote)
    other = copy.copy(bench)
    other.control = create_engine(postgres.url(control))
    with (
        closing(open_engine(settings)) as other.engine,
        psycopg.connect(postgres.url(source), autocommit=True) as other.source,
    ):
        make_items(other, rows=5)
        other.source.execute("UPDATE items SET name = 'of the copy'")
        yield other
    other.control.dispose()
    postgres.drop(control)
    postgres.drop(source)


@pytest.mark.parametrize("strategy", ["full", "incremental"])
def test_the_copy_s_commit_is_not_taken_for_the_load_s_own(bench: Bench, copied: Bench, loaded: int) -> None:
    bench.observer = Interfering(Moment.PLANNED, lambda: copied.succeed(loaded))
    before = bench.state(loaded).incremental_value
    refused = bench.fail(loaded)
    assert "of a copy of this control database" in refused.message
    assert bench.state(loaded).incremental_value == before
    bench.observer = LogObserver()
    bench.succeed(loaded)
    new = {row for row in bench.target_rows() if row[0] == 100}
    assert {row[1] for row in new} == {"new"}


@pytest.mark.parametrize("strategy", ["incremental"])
def test_the_copy_s_stage_is_not_taken_for_the_load_s_own(bench: Bench, copied: Bench, loaded: int) -> None:
    staged, published, ended = threading.Event(), threading.Event(), list[Result]()

    def wait() -> None:
        staged.set()
        published.wait(PATIENCE)

    copied.observer = Interfering(Moment.STAGED, wait)
    beside = threading.Thread(target=lambda: ended.append(copied.load(loaded)))

    def load_the_copy() -> None:
        beside.start()
        assert staged.wait(PATIENCE)

    bench.observer = Interfering(Moment.STAGED, load_the_copy)
    bench.succeed(loaded)
    assert bench.target_rows() == bench.source_rows()
    published.set()
    beside.join(PATIENCE)
    assert [result.status for result in ended] == [LoadStatus.FAILED]
    assert bench.target_rows() == bench.source_rows()
    assert not bench.stages()
