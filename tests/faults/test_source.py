"""The source breaks off in the middle of a read: never half a table, and never a wait without an end."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_dataloader.control.row_state import row_states
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import SourceStalled
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import LoadIds
from airflow_dataloader.loader.verify.source_view import open_source_view
from tests.bench import Bench
from tests.conftest import Server
from tests.faults.accident import Beside, commits, healthy
from tests.faults.items import change_items, closed_gate, held_up, make_gate, make_items, row_of
from tests.faults.proxy import Fault, Plan, Proxy
from tests.observers import Interfering
from tests.waiting import eventually


@pytest.mark.parametrize("strategy", ["full", pytest.param("incremental", marks=pytest.mark.faults)])
def test_the_source_s_server_is_restarted_during_the_read(
    away_source: Bench, spare: Server, strategy: str
) -> None:
    bench = away_source
    make_gate(bench)
    row = row_of(bench, strategy)
    bench.succeed(row)
    change_items(bench, 1, "base")
    before = commits(bench)
    ids = bench.claim(row)
    database = bench.source.info.dbname
    with closed_gate(bench):
        loading = Beside(bench, ids)
        eventually("a read at the gate", lambda: held_up(bench, ids))
        spare.restart()
        result = loading.result()
    assert result.status is LoadStatus.FAILED, result
    failure = bench.history(row)[-1].failure
    assert (failure["error"], failure["transient"]) == ("SourceUnavailable", True), failure
    assert commits(bench) == before
    assert not bench.stages()
    bench.source = type(bench.source).connect(spare.url(database), autocommit=True)
    bench.succeed(row)
    healthy(bench, row)


def _wide_items(bench: Bench, strategy: str, **overrides: Any) -> int:
    make_items(bench, rows=1)
    bench.source.execute(
        "INSERT INTO items SELECT i, repeat(md5(i::text), 20), timestamptz '2026-01-01' "
        "+ i * interval '1 second' FROM generate_series(2, 20000) i"
    )
    return row_of(bench, strategy, **overrides)


#: What is let through of each connection: the load's own questions, and the first rows of the read.
_ENOUGH = 2_000_000


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [
        ("full", Fault.STALL),
        ("incremental", Fault.TRUNCATE),
        pytest.param("full", Fault.TRUNCATE, marks=pytest.mark.faults),
        pytest.param("full", Fault.RESET, marks=pytest.mark.faults),
        pytest.param("incremental", Fault.STALL, marks=pytest.mark.faults),
        pytest.param("incremental", Fault.RESET, marks=pytest.mark.faults),
    ],
)
def test_a_read_is_broken_off_on_the_way(bench: Bench, proxy: Proxy, strategy: str, fault: Fault) -> None:
    row = _wide_items(bench, strategy)
    bench.succeed(row)
    change_items(bench, 1)
    bench.set(row, load_full="true")
    before = commits(bench)
    _connect_with(bench, '{"socket_timeout": "3"}')
    ids = bench.claim(row)
    proxy.plan = Plan(fault, after=_ENOUGH)
    result = Beside(bench, ids).result()
    assert proxy.met > 0, "the read was too short to be broken off"
    assert result.status is LoadStatus.FAILED, result
    failure = bench.history(row)[-1].failure
    assert (failure["error"], failure["transient"]) == ("SourceUnavailable", True), failure
    assert commits(bench) == before
    _nothing_is_left_reading(bench, ids)
    proxy.plan = Plan()
    bench.succeed(row)
    healthy(bench, row)


def _connect_with(bench: Bench, options: str) -> None:
    with bench.control.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE control.table_control_dbconfig SET connection_options = %(options)s", {"options": options}
        )


def test_a_source_that_computes_for_longer_than_its_rows_are_waited_for(bench: Bench) -> None:
    make_items(bench, rows=1)
    bench.source.execute("CREATE VIEW slow AS SELECT items.* FROM items, (SELECT pg_sleep(6)) AS first")
    row = row_of(bench, "full", query="SELECT * FROM slow")
    _connect_with(bench, '{"socket_timeout": "2"}')
    assert "raise connection_options.socket_timeout" in bench.fail(row).message
    failure = bench.history(row)[-1].failure
    assert (failure["error"], failure["field"]) == ("SourceUnavailable", "connection_options.socket_timeout")
    # Without the option a source may compute for as long as the load may take.
    _connect_with(bench, "{}")
    assert Beside(bench, bench.claim(row), _WATCHED).result().status is LoadStatus.SUCCEEDED
    healthy(bench, row)


#: A load that ends itself after three seconds without movement, and reads over connections that wait longer.
_WATCHED = LeaseTimes(beat=0.3, progress=3.0)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(Fault.STALL, after=_ENOUGH),
        Plan(Fault.STALL, asked=b"DESC LIMIT 1"),
        pytest.param(Plan(Fault.STALL, asked=b"count("), marks=pytest.mark.faults),
    ],
    ids=["the read", "the bound", "the count"],
)
def test_a_source_that_falls_silent_ends_the_load(bench: Bench, proxy: Proxy, plan: Plan) -> None:
    row = _wide_items(bench, "incremental")
    bench.succeed(row)
    change_items(bench, 1)
    bench.set(row, load_full="true")
    before = commits(bench)
    ids = bench.claim(row)
    proxy.plan = plan
    result = Beside(bench, ids, _WATCHED).result()
    assert proxy.met > 0, "nothing was broken off"
    assert result.status is LoadStatus.FAILED, result
    failure = bench.history(row)[-1].failure
    assert (failure["error"], failure["transient"], failure["settled_by"]) == (
        "SourceStalled",
        True,
        "loader",
    )
    assert commits(bench) == before
    proxy.plan = Plan()
    _nothing_is_left_reading(bench, ids)
    bench.succeed(row)
    healthy(bench, row)


def test_a_source_that_falls_silent_ends_a_look_at_it(bench: Bench, proxy: Proxy) -> None:
    make_items(bench)
    _connect_with(bench, '{"connect_timeout": "2"}')
    (row,) = row_states(bench.control, [row_of(bench, "full")])

    def look() -> None:
        with open_source_view(
            replace(bench.context, times=_WATCHED), LoadConfig.from_snapshot(row.snapshot)
        ) as seen:
            proxy.plan = Plan(Fault.STALL)
            seen.session.query(f"SELECT count(*) FROM {seen.relation}")

    with pytest.raises(SourceStalled):
        look()
    assert proxy.met > 0, "nothing was broken off"
    proxy.plan = Plan()


def test_a_source_that_falls_silent_after_it_was_read_ends_nothing(bench: Bench, proxy: Proxy) -> None:
    row = _wide_items(bench, "incremental")
    bench.succeed(row)
    change_items(bench, 1)

    def fall_silent() -> None:
        proxy.plan = Plan(Fault.STALL)
        first = _moved_at(bench, row)
        long = timedelta(seconds=3 * _WATCHED.progress)
        eventually("movement past its patience", lambda: _moved_at(bench, row) - first > long)

    bench.observer = Interfering(Moment.PUBLISHING, fall_silent)
    result = Beside(bench, bench.claim(row), _WATCHED).result()
    assert proxy.met > 0, "nobody looked at the source"
    assert result.status is LoadStatus.SUCCEEDED, result
    healthy(bench, row)


def _moved_at(bench: Bench, row: int) -> datetime:
    """Return when the row's load last told the control database that it had moved."""
    moved: datetime = bench.history(row)[-1].progress_at
    return moved


def test_a_slow_load_is_left_alone(bench: Bench, proxy: Proxy) -> None:
    make_items(bench, rows=150_000)
    row = row_of(bench, "full")
    ids = bench.claim(row)
    proxy.plan = Plan(Fault.THROTTLE)
    begun = time.monotonic()
    assert Beside(bench, ids, _WATCHED).result().status is LoadStatus.SUCCEEDED
    assert time.monotonic() - begun > _WATCHED.progress, "it was not slow enough to prove anything"
    healthy(bench, row)


def _nothing_is_left_reading(bench: Bench, ids: LoadIds) -> None:
    query = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
               AND application_name LIKE %s AND state = 'active'"""
    name = f"adl-%-{ids.metadata_id}"
    eventually("the end of its queries", lambda: bench.source.execute(query, (name,)).fetchone() == (0,))


@pytest.mark.faults
def test_the_source_breaks_off_before_the_read(bench: Bench, proxy: Proxy) -> None:
    make_items(bench)
    row = row_of(bench, "incremental")
    bench.succeed(row)
    bench.observer = Interfering(Moment.PLANNED, lambda: setattr(proxy, "plan", Plan(Fault.RESET)))
    failed = bench.fail(row)
    assert failed.message
    assert bench.history(row)[-1].failure["transient"] is True
    proxy.plan = Plan()
    bench.succeed(row)
    healthy(bench, row)
