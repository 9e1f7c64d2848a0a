"""``dataloader maintain --local`` as a command."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.tasks.maintain import main
from tests.bench import Bench
from tests.integration.cli.conftest import Command


@pytest.fixture
def maintain(dataloader: Command) -> Command:
    """The command."""
    return partial(dataloader, "maintain")


def leave_stage(bench: Bench, table: str) -> str:
    bench.source.execute(f"CREATE TABLE {table} AS SELECT 1 AS id")
    done = bench.succeed(bench.row(table)).metadata_id
    name = f"_adl_stage_{bench.installation[:8]}_{done}"
    (bench.home / "warehouse" / "bronze" / bench.schema / name).mkdir()
    return name


def test_stages_that_were_left_behind_are_removed_and_named(bench: Bench, maintain: Command) -> None:
    name = leave_stage(bench, "orders")
    code, out, _ = maintain("--local", "-s", "name:orders")
    assert code == 0
    assert f"Removed bronze.{bench.schema}.{name}.\n" in out
    assert bench.stages() == []
    assert "No stage was left behind.\n" in maintain("--local")[1]


def test_the_task_does_the_same(bench: Bench, maintain: Command, capsys: pytest.CaptureFixture[str]) -> None:
    name = leave_stage(bench, "orders")
    assert main([]) == 0
    assert f"Removed bronze.{bench.schema}.{name}.\n" in capsys.readouterr().out
    assert bench.stages() == []


def test_a_selector_that_matches_nothing_is_a_usage_error(maintain: Command) -> None:
    code, out, error = maintain("--local", "-s", "name:nothing")
    assert (code, out) == (2, "")
    assert error == ("Error: No row matches name:nothing. Fix: look at source, name, status and tags.\n")


def test_without_local_it_says_what_to_do(maintain: Command) -> None:
    code, _, error = maintain()
    assert code == 2
    assert "add --local" in error


def test_targets_are_compacted_by_their_rows_policies(bench: Bench, maintain: Command) -> None:
    bench.source.execute("CREATE TABLE orders AS SELECT generate_series(1, 3) AS id")
    row = bench.row("orders", load_strategy="append_only", incremental_column="id", optimize_every_hours=24)
    bench.succeed(row)
    bench.source.execute("INSERT INTO orders VALUES (4)")
    bench.succeed(row)
    code, out, _ = maintain("--local")
    assert code == 0
    assert f"config_id {row} (public.orders → bronze.{bench.schema}.orders): compacted 2 files (" in out
    assert "compacted" not in maintain("--local")[1]


def test_a_target_that_cannot_be_maintained_is_said_by_the_exit_code(
    bench: Bench, maintain: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.source.execute("CREATE TABLE orders AS SELECT 1 AS id")
    row = bench.row("orders", vacuum_every_hours=24)
    bench.succeed(row)
    assert isinstance(bench.engine, SparkEngine)
    location = bench.engine._context.names.locate(bench.target("orders"))
    bench.engine._context.spark.sql(
        f"ALTER TABLE {location.sql} "
        "SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 hours')"
    )
    code, out, _ = maintain("--local", "-s", "name:orders")
    assert code == 1
    assert "Not vacuumed: the target keeps files of older versions for 0 hours" in out
    assert main([str(row)]) == 1
    assert "Not vacuumed" in capsys.readouterr().out
