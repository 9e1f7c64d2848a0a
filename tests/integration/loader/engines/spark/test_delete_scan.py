"""Rows that the source does not have any more."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from airflow_dataloader.core.load_columns import DELETED_AT
from airflow_dataloader.exceptions import Fenced
from airflow_dataloader.loader.engines.protocol import Deduplication, KeyComparison, Stage
from tests.integration.loader.engines.spark.workshop import Workshop, commit

COLUMNS = {"id": "int", "part": "string", "v": "int"}
KEY = {"id": "int", "part": "string"}
BY_KEY = Deduplication(keys=("id", "part"), cursor=None)
ROWS = [(1, "a", 1), (1, "b", 2), (2, "a", 3), (3, "a", 4), (None, "a", 5), (4, None, 6)]
STEP = 7


def keys(workshop: Workshop, *rows: tuple[object, ...]) -> Stage:
    return workshop.stage(KEY, rows, BY_KEY)


def marked(workshop: Workshop) -> list[int]:
    found = workshop.rows(workshop.table(), ["v", "_adl_deleted_at"])
    now = datetime.now(UTC)
    assert all(at is None or now - timedelta(minutes=10) < at <= now for _, at in found)
    return sorted(v for v, at in found if at is not None)


def test_exactly_the_rows_whose_key_is_gone_are_deleted(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, COLUMNS, ROWS)
    # A key may come twice, in part or not at all.
    stage = keys(workshop, (1, "a"), (1, "a"), (3, "a"), (9, "new"), (None, "a"), (2, None))
    found = workshop.engine.compare_keys(target, stage, mark=False)
    assert found == KeyComparison(held=6, gone=2, keyless=2, returned=0, marked=0, missing=1)
    done = workshop.engine.delete_gone(target, stage, commit(2, STEP), mark=False)
    assert (done.rows_deleted, done.rows_updated, done.rows_inserted) == (2, 0, 0)
    assert sorted(row[2] for row in workshop.rows(target)) == [1, 4, 5, 6]
    assert workshop.engine.compare_keys(target, stage, mark=False).gone == 0


def test_the_same_deletion_is_made_once_and_an_older_one_never(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, COLUMNS, ROWS)
    stage = keys(workshop, (1, "a"))
    done = workshop.engine.delete_gone(target, stage, commit(3, STEP), mark=False)
    workshop.engine.append(target, workshop.engine.read(workshop.plan(COLUMNS, [(7, "z", 7)])), commit(4))
    again = workshop.engine.delete_gone(target, stage, commit(3, STEP), mark=False)
    assert again == done
    with pytest.raises(Fenced):
        workshop.engine.delete_gone(target, stage, commit(2, STEP), mark=False)
    assert 7 in [row[2] for row in workshop.rows(target)]


def test_marks_are_set_once_taken_back_and_deleted_when_marks_are_given_up(workshop: Workshop) -> None:
    target, engine = workshop.table(), workshop.engine
    workshop.fill(target, COLUMNS, ROWS)
    some = keys(workshop, (1, "a"), (3, "a"))
    assert engine.compare_keys(target, some, mark=True).gone == 2
    done = engine.delete_gone(target, some, commit(2, STEP), mark=True)
    assert (done.rows_deleted, done.rows_updated) == (2, 0)
    assert marked(workshop) == [2, 3]
    before = workshop.rows(target)
    found = engine.compare_keys(target, some, mark=True)
    assert found == KeyComparison(held=4, gone=0, keyless=2, returned=0, marked=2, missing=0)
    assert engine.delete_gone(target, some, commit(3, STEP), mark=True).rows_deleted == 0
    assert workshop.rows(target) == before, "a mark keeps its time"
    other = keys(workshop, (1, "b"), (3, "a"))
    found = engine.compare_keys(target, other, mark=True)
    assert found == KeyComparison(held=4, gone=1, keyless=2, returned=1, marked=1, missing=0)
    done = engine.delete_gone(target, other, commit(4, STEP), mark=True)
    assert (done.rows_deleted, done.rows_updated) == (1, 1)
    assert marked(workshop) == [1, 3]
    done = engine.delete_gone(target, keys(workshop, (1, "a"), (3, "a")), commit(5, STEP), mark=False)
    assert (done.rows_deleted, done.rows_updated) == (2, 1)
    assert marked(workshop) == []


def test_a_mark_stays_where_another_row_of_the_key_has_none(workshop: Workshop) -> None:
    target, engine = workshop.table(), workshop.engine
    workshop.fill(target, COLUMNS, ROWS[:4])
    engine.compare_keys(target, keys(workshop, (1, "a")), mark=True)
    engine.delete_gone(target, keys(workshop, (1, "a")), commit(2, STEP), mark=True)
    again = workshop.engine.read(workshop.plan(COLUMNS, [(1, "b", 20)]))
    engine.append(target, again, commit(3))
    here = keys(workshop, (1, "a"), (1, "b"), (2, "a"))
    found = engine.compare_keys(target, here, mark=True, repeated=True)
    assert found == KeyComparison(held=2, gone=0, keyless=0, returned=1, marked=1, missing=0)
    engine.delete_gone(target, here, commit(4, STEP), mark=True, repeated=True)
    assert marked(workshop) == [2, 4]
    # Only until that one is gone, too.
    engine.delete_gone(target, keys(workshop, (1, "a")), commit(5, STEP), mark=True, repeated=True)
    assert marked(workshop) == [2, 3, 4, 20]


def test_a_merge_takes_the_mark_off_what_it_brings(workshop: Workshop) -> None:
    target, engine = workshop.table(), workshop.engine
    workshop.fill(target, COLUMNS, ROWS[:4])
    stage = keys(workshop, (1, "a"), (3, "a"))
    engine.compare_keys(target, stage, mark=True)
    engine.delete_gone(target, stage, commit(2, STEP), mark=True)
    rows = workshop.stage(COLUMNS, [(1, "b", 2), (3, "a", 4), (5, "a", 5)], BY_KEY)
    done = engine.merge(target, rows, replace(commit(3), stamp={DELETED_AT: None}), BY_KEY)
    assert (done.rows_inserted, done.rows_updated, done.rows_deleted) == (1, 1, 0)
    assert marked(workshop) == [3]


def test_keys_are_compared_in_the_type_that_the_target_has(workshop: Workshop) -> None:
    target = workshop.table()
    workshop.fill(target, {"k": "decimal(20,4)"}, [(Decimal("1.0000"),), (Decimal("2.5000"),), (Decimal(3),)])
    by_k = Deduplication(keys=("k",), cursor=None)
    stage = workshop.stage({"k": "decimal(10,2)"}, [(Decimal("1"),), (Decimal("2.5"),)], by_k)
    assert workshop.engine.delete_gone(target, stage, commit(2, STEP), mark=False).rows_deleted == 1
    assert workshop.rows(target) == [(Decimal("1.0000"),), (Decimal("2.5000"),)]
