"""Stages that accidents left behind, on a real warehouse."""

from __future__ import annotations

import shutil

from sqlalchemy import delete, select

from airflow_dataloader.control.tables import historical_metadata, table_control
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import process_tables
from airflow_dataloader.loader.stage_names import stage_name
from airflow_dataloader.loader.stage_sweep import sweep_stages
from tests.bench import Bench
from tests.integration.loader.breaking import break_off


def make(bench: Bench) -> int:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, at integer)")
    bench.source.execute("INSERT INTO items SELECT i, i FROM generate_series(1, 10) i")
    return bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")


def leave_stage(bench: Bench, metadata_id: int, installation: str = "") -> TargetName:
    """Leave a stage of that load: the target's files under another name."""
    with bench.control.begin() as connection:
        query = select(historical_metadata.c.start_nonce).where(historical_metadata.c.id == metadata_id)
        nonce = connection.execute(query).scalar_one() or "not started yet"
    name = stage_name(bench.target(), installation or bench.installation, metadata_id, nonce)
    folder = bench.home / "warehouse" / "bronze" / bench.schema
    shutil.copytree(folder / "items", folder / name.table)
    return name


def test_what_is_over_goes_and_all_else_stays(bench: Bench) -> None:
    row = make(bench)
    done = bench.succeed(row).metadata_id
    given_up = bench.claim(row)
    over = leave_stage(bench, done)
    kept = [leave_stage(bench, given_up.metadata_id), leave_stage(bench, done, "0" * 32)]
    folder = bench.home / "warehouse" / "bronze" / bench.schema
    (folder / "_adl_stage_of_somebody").mkdir()
    assert sweep_stages(bench.control, bench.engine, bench.target()) == [over]
    assert sorted(bench.stages()) == sorted([*(name.table for name in kept), "_adl_stage_of_somebody"])
    assert bench.target_rows() == bench.source_rows()


def test_a_task_sweeps_after_its_loads(bench: Bench) -> None:
    row = make(bench)
    done = bench.succeed(row).metadata_id
    leave_stage(bench, done)
    process_tables(bench.context, [bench.claim(row)])
    assert bench.stages() == []


def test_the_stage_of_a_backfill_goes_when_its_plan_is_given_up_and_not_before(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, at timestamptz)")
    bench.source.execute(
        "INSERT INTO items SELECT i, timestamptz '2025-01-01' + i * interval '31 days' "
        "FROM generate_series(1, 4) i"
    )
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.CHUNKED)
    (left,) = bench.stages()
    assert "_b" in left
    assert sweep_stages(bench.control, bench.engine, bench.target()) == [], "its plan is open"
    # Somebody takes the row off the strategy: nobody goes on with the plan.
    bench.set(row, load_strategy="incremental")
    process_tables(bench.context, [bench.claim(row)])
    assert bench.stages() == []
    assert bench.target_rows() == bench.source_rows()


def test_a_deleted_row_s_stages_go_too(bench: Bench) -> None:
    row = make(bench)
    leave = bench.succeed(row).metadata_id
    stage = leave_stage(bench, leave)
    with bench.control.begin() as connection:
        connection.execute(delete(table_control).where(table_control.c.config_id == row))
    assert sweep_stages(bench.control, bench.engine, bench.target()) == [stage]
