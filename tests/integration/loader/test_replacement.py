"""A read that takes the place of rows, where it shares no snapshot with what the guards have asked."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.loader.engines.protocol import Rows
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.observers import Interfering

ROLLING = {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 100_000}
WAYS = {"full": {}, "rolling": ROLLING, "rolling, keep": ROLLING | {"rolling_retention": "keep"}}


@pytest.fixture(params=WAYS)
def columns(request: pytest.FixtureRequest) -> dict[str, Any]:
    return WAYS[request.param]


def make(bench: Bench) -> None:
    """``items``, a foreign table of the source's own ``far_items``: no snapshot reaches that one's rows."""
    info = bench.source.info
    server = sql.SQL(
        "CREATE EXTENSION postgres_fdw;"
        "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host {}, port {}, dbname {});"
        "CREATE USER MAPPING FOR public SERVER far OPTIONS (user {}, password {})"
    )
    options = (info.host, str(info.port), info.dbname, info.user, info.password)
    bench.source.execute(server.format(*map(sql.Literal, options)))
    bench.source.execute("CREATE TABLE far_items (id integer, at date)")
    bench.source.execute(
        "CREATE FOREIGN TABLE items (id int, at date) SERVER far OPTIONS (table_name 'far_items')"
    )
    bench.source.execute(
        "INSERT INTO far_items SELECT i, date '2026-01-01' + i FROM generate_series(1, 100) i"
    )


def lose_before_the_read(bench: Bench, monkeypatch: pytest.MonkeyPatch, condition: str) -> None:
    """Delete rows at the source once the guards have asked it, before the engine reads."""
    read = bench.engine.read

    def later(plan: ReadPlan) -> Rows:
        bench.source.execute(f"DELETE FROM far_items WHERE {condition}")
        return read(plan)

    monkeypatch.setattr(bench.engine, "read", later)


def test_each_load_brings_what_the_source_holds(bench: Bench, columns: dict[str, Any]) -> None:
    make(bench)
    row = bench.row(**columns, shrink_guard_percent=10)
    for change in (
        "SELECT 1",
        "DELETE FROM far_items WHERE id <= 5",
        "INSERT INTO far_items VALUES (7, 'today')",
    ):
        bench.source.execute(change)
        rows = len(bench.source.execute("SELECT FROM items").fetchall())
        assert bench.succeed(row).receipt.rows_read == rows
        assert bench.target_rows() == bench.source_rows()
    assert bench.stages() == []


def test_a_source_that_empties_after_it_was_asked_leaves_the_target_as_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    make(bench)
    row = bench.row(**columns)
    bench.succeed(row)
    before = bench.target_rows()
    lose_before_the_read(bench, monkeypatch, "true")
    bench.fail(row)
    assert bench.history(row)[-1].failure["error"] == "EmptySource"
    assert bench.target_rows() == before
    assert bench.stages() == []


def test_a_source_that_shrinks_after_it_was_asked_leaves_the_target_as_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    make(bench)
    row = bench.row(**columns, shrink_guard_percent=10)
    bench.succeed(row)
    before = bench.target_rows()
    lose_before_the_read(bench, monkeypatch, "id > 50")
    assert "would hold 50 rows where it holds 100" in bench.fail(row).message
    assert bench.target_rows() == before
    assert bench.stages() == []


def test_a_part_at_another_server_is_not_rebuilt_while_it_is_read(bench: Bench) -> None:
    """A connection's state of it may be older than the rebuild that it waits for, and show no rows of it."""
    make(bench)
    bench.source.execute(
        "ALTER TABLE items RENAME TO part; CREATE TABLE items (id int, at date) PARTITION BY LIST (at)"
    )
    bench.source.execute("ALTER TABLE items ATTACH PARTITION part DEFAULT")
    refused = []

    def rebuild() -> None:
        bench.source.execute("SET lock_timeout = '500ms'")
        try:
            bench.source.execute("TRUNCATE far_items")
        except psycopg.errors.LockNotAvailable as error:
            refused.append(error)

    bench.observer = Interfering(Moment.PLANNED, rebuild)
    result = bench.succeed(bench.row())
    assert refused, "nothing holds the part where it is"
    assert (result.receipt.snapshot, result.receipt.rows_read) == ("none", 100)
    assert bench.target_rows() == bench.source_rows()
