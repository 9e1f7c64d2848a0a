"""Rows that a real read loses on the way, against a source that counts them in the same snapshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.loader.engines.protocol import Rows
from tests.bench import Bench

BY_CURSOR = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "id"}


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(BY_CURSOR, id="staged"),
        pytest.param(
            {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 100_000}, id="rolling"
        ),
        pytest.param({"load_strategy": "full", "shrink_guard_percent": 90}, id="full, counted for its guard"),
    ],
)
def test_a_view_that_selects_the_same_rows_each_time_loses_none_in_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any]
) -> None:
    bench.source.execute("CREATE TABLE base AS SELECT i AS id, now() AS at FROM generate_series(1, 6) i")
    bench.source.execute("CREATE VIEW items AS SELECT id, at FROM base WHERE id > 0")
    row = bench.row(**values)
    bench.succeed(row)
    bench.source.execute("INSERT INTO base SELECT i, now() FROM generate_series(7, 9) i")
    read = bench.engine.read

    def losing(plan: ReadPlan) -> Rows:
        return read(replace(plan, where=f"({plan.where or 'true'}) AND id <> 8"))

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "read", losing)
        assert " arrived from the same snapshot" in bench.fail(row).message
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_slice_is_replaced_by_nothing_that_is_not_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a window of days has lost, no later one may reach any more."""
    bench.source.execute("CREATE TABLE items AS SELECT i AS id, now() AS at FROM generate_series(1, 6) i")
    row = bench.row(load_strategy="rolling", rolling_column="at", rolling_days=2, rolling_retention="keep")
    bench.succeed(row)
    before = bench.target_rows()
    read = bench.engine.read

    def losing(plan: ReadPlan) -> Rows:
        return read(replace(plan, where=f"({plan.where or 'true'}) AND id <> 5"))

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "read", losing)
        failed = bench.fail(row)
    assert "The source counts 6 rows in the window, 5 arrived" in failed.message
    assert failed.receipt.target_version is None
    assert bench.target_rows() == before
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_read, receipt.rows_deleted, receipt.rows_inserted) == (6, 6, 6)


def test_parts_of_a_view_by_a_column_that_depends_on_the_time(bench: Bench) -> None:
    """Each connection has a time of its own: a row that passes a part's end meanwhile is in two of them."""
    bench.source.execute("CREATE TABLE base AS SELECT i AS id FROM generate_series(1, 100000) i")
    # A row passes an end each millisecond, and none has passed all of them for more than a minute.
    bench.source.execute(
        "CREATE VIEW items AS SELECT id, "
        "(id + extract(epoch FROM now() - timestamptz '2026-01-01') * 1000)::bigint AS age FROM base"
    )
    row = bench.row(load_strategy="full", partition_column="age", num_partitions=8)
    failed = bench.fail(row)
    assert "The source counts 100000 rows in the window" in failed.message
    assert "partition_column depends on the time" in failed.message
    assert failed.receipt.target_version is None
    bench.set(row, partition_column="id")
    assert bench.succeed(row).receipt.partitions == 8
    assert bench.engine.count(bench.target("items")) == 100_000


def test_a_view_that_selects_by_the_time_is_told_from_that(bench: Bench) -> None:
    # One row goes every ten milliseconds, so that no two connections see as many; they last for ten minutes.
    bench.source.execute(
        "CREATE TABLE base AS SELECT i AS id, now() + i * interval '10 ms' AS until "
        "FROM generate_series(1, 60000) i"
    )
    bench.source.execute("CREATE VIEW items AS SELECT id FROM base WHERE until > now()")
    result = bench.succeed(bench.row(**BY_CURSOR))
    assert "the query or view selects by the time, or by chance" in result.message
    assert result.receipt.rows_read < result.receipt.source_rows


@pytest.mark.parametrize("moment", ["now()", pytest.param("clock_timestamp()", marks=pytest.mark.faults)])
@pytest.mark.parametrize("which", ["all rows", "rows without another"])
@pytest.mark.parametrize("strategy", ["incremental", "chunked_backfill"])
def test_a_cursor_that_is_made_of_the_time_is_refused(
    bench: Bench, moment: str, which: str, strategy: str
) -> None:
    bench.source.execute("CREATE TABLE base (id integer, changed timestamptz)")
    bench.source.execute("INSERT INTO base SELECT i, '2026-01-01' FROM generate_series(1, 5) i")
    bench.source.execute("INSERT INTO base VALUES (6, NULL)")
    value = moment if which == "all rows" else f"coalesce(changed, {moment})"
    bench.source.execute(f"CREATE VIEW items AS SELECT id, {value} AS at FROM base")
    row = bench.row(load_strategy=strategy, primary_key_cols="id", incremental_column="at")
    refused = bench.fail(row)
    assert refused.receipt.target_version is None
    assert bench.state(row).incremental_value is None
    assert bench.history(row)[-1].failure["field"] == "incremental_column"
    bench.set(row, load_strategy="full")
    assert bench.succeed(row).receipt.rows_read == 6
