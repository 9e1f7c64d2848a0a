"""A stage that is not what was read into it, in front of a real engine and its own counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_dataloader.loader.engines.protocol import STAGE_PREFIX
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.observers import Interfering

BY_KEY = {"primary_key_cols": "id", "incremental_column": "id"}


@contextmanager
def tampered(bench: Bench, statement: str, moment: Moment = Moment.STAGED) -> Iterator[None]:
    """Change the stage of the loads in the block, once, after its rows were counted."""

    def tamper() -> None:
        assert isinstance(bench.engine, SparkEngine)
        (name,) = (name for name in bench.stages() if name.startswith(STAGE_PREFIX))
        folder = bench.home / "warehouse" / "bronze" / bench.schema / name
        bench.engine._context.spark.sql(statement.format(f"delta.`{folder}`")).collect()

    bench.observer = Interfering(moment, tamper)
    yield
    bench.observer = LogObserver()


@pytest.mark.parametrize(
    ("values", "statement"),
    [
        pytest.param(
            {"load_strategy": "incremental", **BY_KEY}, "DELETE FROM {} WHERE id = 6", id="a row lost, merged"
        ),
        pytest.param(
            {"load_strategy": "incremental", **BY_KEY}, "INSERT INTO {} VALUES (7)", id="a row more, merged"
        ),
        pytest.param(
            {"load_strategy": "append_only", "incremental_column": "id"},
            "DELETE FROM {} WHERE id = 6",
            id="a row lost, appended",
        ),
    ],
)
def test_other_rows_than_were_read_are_no_success(
    bench: Bench, values: dict[str, str], statement: str
) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT i AS id FROM generate_series(1, 5) i")
    row = bench.row(**values)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES (6)")
    with tampered(bench, statement):
        failed = bench.fail(row)
    assert "repeated keys do not account for that" in failed.message
    assert bench.state(row).incremental_value == "5", "the next load reads the same again"
    bench.source.execute("INSERT INTO items VALUES (7)")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("filled", [False, True], ids=["in the target", "beside it"])
def test_a_backfill_whose_last_commit_lost_a_row_is_not_done(bench: Bench, filled: bool) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT i AS id FROM generate_series(1, 5) i")
    row = bench.row(load_strategy="chunked_backfill", null_cursor_policy="exclude", **BY_KEY)
    if filled:
        bench.set(row, load_strategy="full")
        bench.succeed(row)
        bench.set(row, load_strategy="chunked_backfill")
    # Of a backfill beside the target, the rows were counted when its chunks were loaded.
    moment = Moment.PUBLISHING if filled else Moment.STAGED
    with tampered(bench, "DELETE FROM {} WHERE id = 3", moment):
        failed = bench.fail(row)
    assert "repeated keys do not account for that" in failed.message
    assert bench.state(row).load_strategy == "chunked_backfill"
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).load_strategy == "incremental"
    assert bench.stages() == []
