"""Rows that a real read loses on the way, against a source that counts them in the same snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.loader.engines.protocol import Rows
from tests.bench import Bench

BY_CURSOR = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "id"}


def test_a_view_that_selects_the_same_rows_each_time_loses_none_in_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.source.execute("CREATE TABLE base AS SELECT i AS id FROM generate_series(1, 6) i")
    bench.source.execute("CREATE VIEW items AS SELECT id FROM base WHERE id > 0")
    row = bench.row(**BY_CURSOR)
    read = bench.engine.read

    def losing(plan: ReadPlan) -> Rows:
        return read(replace(plan, where=f"({plan.where}) AND id <> 3"))

    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "read", losing)
        assert "counts 6 rows in the window, 5 arrived" in bench.fail(row).message
    assert bench.state(row).incremental_value is None
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


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
