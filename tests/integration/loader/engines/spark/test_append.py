"""Adding rows, and replacing a slice of them."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest

from airflow_dataloader.exceptions import EngineFailed, SchemaRefused, ValueRefused
from tests.integration.loader.engines.spark.workshop import APP, Workshop, commit

COLUMNS = {"id": "int", "name": "string"}


def test_rows_are_added_and_new_columns_too(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [])
    first = engine.append(target, engine.read(workshop.plan(COLUMNS, [(1, "a")])), commit(2))
    assert (first.version, first.rows_in, first.rows_inserted) == (1, 1, 1)
    stage = engine.stage(
        engine.read(workshop.plan(COLUMNS | {"more": "int"}, [(2, "b", 5)])), workshop.stage_name, None
    )
    second = engine.append(target, stage, commit(3))
    assert (second.version, second.rows_inserted, second.values_replaced) == (2, 1, None)
    assert workshop.rows(target) == [(1, "a", None), (2, "b", 5)]


def test_columns_that_the_read_lacks_are_null(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, "a")])
    workshop.engine.append(
        workshop.table(), workshop.engine.read(workshop.plan({"ID": "int"}, [(2,)])), commit(2)
    )
    assert workshop.rows(workshop.table()) == [(1, "a"), (2, None)]


def test_types_fit_or_are_refused(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, {"x": "decimal(12,2)"}, [("1.25",)])
    engine.append(target, engine.read(workshop.plan({"x": "int"}, [(3,)])), commit(2))
    assert workshop.rows(target) == [(Decimal("1.25"),), (Decimal("3.00"),)]
    with pytest.raises(SchemaRefused, match="Column x"):
        engine.append(target, engine.read(workshop.plan({"x": "double"}, [(3,)])), commit(3))


def test_exactly_the_slice_is_replaced(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(n, "old") for n in range(1, 11)])
    plan = workshop.plan(COLUMNS, [(9, "new"), (11, "new")])
    written = engine.replace_slice(target, engine.read(plan), "id > 8", commit(2))
    assert (written.version, written.rows_in, written.rows_inserted, written.rows_deleted) == (1, 2, 2, 2)
    assert workshop.rows(target) == sorted(
        [(n, "old") for n in range(1, 9)] + [(9, "new"), (11, "new")], key=repr
    )


def test_an_empty_slice_only_deletes(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(1, "a"), (2, "b")])
    written = engine.replace_slice(target, engine.read(workshop.plan(COLUMNS)), "id = 2", commit(2))
    assert (written.rows_in, written.rows_inserted, written.rows_deleted) == (0, 0, 1)
    assert workshop.rows(target) == [(1, "a")]


def test_rows_outside_their_slice_are_refused(workshop: Workshop) -> None:
    engine, target = workshop.engine, workshop.table()
    workshop.fill(target, COLUMNS, [(1, "a")])
    with pytest.raises(ValueRefused):
        engine.replace_slice(target, engine.read(workshop.plan(COLUMNS, [(1, "b")])), "id > 8", commit(2))
    assert workshop.rows(target) == [(1, "a")]


def test_replaced_values_of_an_append_are_counted(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [])
    plan = workshop.plan(COLUMNS, [(1, "a"), (2, "b")], replaced="v.id::int")
    written = workshop.engine.append(workshop.table(), workshop.engine.read(plan), commit(2))
    assert (written.rows_in, written.values_replaced) == (2, 3)


@pytest.mark.parametrize("sliced", [False, True])
def test_a_target_that_vanished_is_not_made_again(workshop: Workshop, *, sliced: bool) -> None:
    engine, target = workshop.engine, workshop.table()
    rows = engine.read(workshop.plan(COLUMNS, [(1, "a")]))
    slice_ = partial(engine.replace_slice, target, rows, "id = 1")
    write = slice_ if sliced else partial(engine.append, target, rows)
    with pytest.raises(EngineFailed, match="vanished"):
        write(commit(2))
    assert engine.inspect(target, APP) is None
