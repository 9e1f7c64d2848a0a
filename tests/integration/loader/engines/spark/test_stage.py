"""Keeping rows between reading and publishing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_dataloader.exceptions import SourceRefused
from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import APP, Workshop

COLUMNS = {"id": "int", "at": "timestamp", "name": "string"}
KEYED = Deduplication(keys=("id", "name"), cursor="at")
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def test_rows_null_keys_and_null_cursors_are_counted_in_one_pass(workshop: Workshop) -> None:
    rows = [(1, NOON, "a"), (1, NOON, "a"), (2, None, "b"), (None, NOON, "c"), (None, None, None)]
    plan = workshop.plan(COLUMNS, rows, replaced="(CASE WHEN v.name = 'a' THEN 1 ELSE 0 END)")
    name = workshop.stage_name
    stage = workshop.engine.stage(workshop.engine.read(plan), name, KEYED)
    assert (stage.rows, stage.null_keys, stage.null_cursors, stage.values_replaced) == (5, 2, 2, 2)
    assert stage.columns == plan.columns
    assert workshop.rows(name) == sorted(rows, key=repr)


def test_a_stage_holds_every_partition_s_rows_once(workshop: Workshop) -> None:
    plan = workshop.plan(
        {"id": "int"},
        [(n,) for n in range(100)],
        where="v.id < 90",
        partitions=("v.id < 10", "v.id BETWEEN 10 AND 50", "v.id > 50"),
    )
    name = workshop.stage_name
    assert workshop.engine.stage(workshop.engine.read(plan), name, None).rows == 90
    assert workshop.rows(name) == sorted([(n,) for n in range(90)], key=repr)


def test_an_existing_stage_is_replaced_with_its_columns(workshop: Workshop) -> None:
    engine, name = workshop.engine, workshop.stage_name
    engine.stage(engine.read(workshop.plan(COLUMNS, [(1, NOON, "a")])), name, KEYED)
    engine.stage(engine.read(workshop.plan({"other": "int"}, [(7,)])), name, None)
    assert engine.rows(name) == [(7,)]


def test_a_stage_that_was_dropped_can_be_made_again(workshop: Workshop) -> None:
    engine, name = workshop.engine, workshop.stage_name
    for value in (1, 2):
        engine.stage(engine.read(workshop.plan({"id": "int"}, [(value,)])), name, None)
        assert engine.rows(name) == [(value,)]
        engine.drop_stage(name)
        engine.drop_stage(name)
        assert engine.inspect(name, APP) is None
        assert not workshop.folder(name).exists()


def test_the_stages_of_a_schema_are_found_half_removed_ones_too(workshop: Workshop) -> None:
    engine, name, other = workshop.engine, workshop.stage_name, workshop.stage_name
    assert engine.stages(workshop.table()) == []
    workshop.fill(workshop.table("orders"), {"id": "int"}, [(1,)])
    for stage in (name, other):
        engine.stage(engine.read(workshop.plan({"id": "int"}, [(1,)])), stage, None)
    # Whoever removed this one died on the way.
    folder = workshop.folder(other)
    folder.rename(folder.with_name(f"{folder.name}.dropped-0123"))
    assert engine.stages(workshop.table()) == sorted((name, other), key=lambda stage: stage.table)
    assert engine.inspect(other, APP) is None
    for stage in (name, other):
        engine.drop_stage(stage)
    assert engine.stages(workshop.table()) == []
    assert [path.name for path in folder.parent.iterdir()] == ["orders"]


def test_nothing_but_stages_can_be_dropped(workshop: Workshop) -> None:
    workshop.fill(workshop.table("orders"), {"id": "int"}, [(1,)])
    with pytest.raises(ValueError, match="not a stage"):
        workshop.engine.drop_stage(workshop.table("orders"))
    assert workshop.rows(workshop.table("orders")) == [(1,)]


def test_a_read_that_breaks_leaves_no_stage_behind(workshop: Workshop) -> None:
    engine, name = workshop.engine, workshop.stage_name
    plan = workshop.plan({"id": "int"}, [(1,), (0,)], where="10 / v.id > 0")
    with pytest.raises(SourceRefused, match="division by zero"):
        engine.stage(engine.read(plan), name, None)
    assert engine.inspect(name, APP) is None
