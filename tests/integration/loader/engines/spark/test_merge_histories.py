"""Random histories of a source against a model: whatever arrives, and however often."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import Workshop, commit

Row = tuple[int | None, int | None, str | None]

COLUMNS = {"id": "int", "at": "int", "name": "string"}
BY_ID = Deduplication(keys=("id",), cursor="at")
BATCHES = 3


def best(rows: Iterable[Row]) -> dict[int, Row]:
    """The row that stands for each key: newest cursor, NULL before all, ties by all columns."""
    chosen: dict[int, Row] = {}
    for row in sorted(rows, key=_rank):
        if row[0] is not None:
            chosen[row[0]] = row
    return chosen


def _rank(row: Row) -> tuple[tuple[bool, object], ...]:
    _, at, name = row
    return ((at is None, at or 0), (name is not None, name or ""))


def merged(target: dict[int, Row], rows: Iterable[Row]) -> tuple[dict[int, Row], int, int]:
    """What the target is afterwards, and how many rows were inserted and updated."""
    result, inserted, updated = dict(target), 0, 0
    for key, row in best(rows).items():
        held = target.get(key)
        if held is None:
            inserted += 1
        elif held == row or (row[1] is not None and held[1] is not None and row[1] < held[1]):
            continue
        else:
            updated += 1
        result[key] = row
    return result, inserted, updated


def batch(chance: random.Random) -> list[Row]:
    """A few rows over few keys and cursors, so that ties, repeats and late rows are common."""
    return [
        (
            chance.choice([None, 1, 2, 3, 4]),
            chance.choice([None, 1, 2, 3]),
            chance.choice([None, "", "a", "b"]),
        )
        for _ in range(chance.randrange(8))
    ]


@pytest.mark.parametrize("seed", range(3))
def test_target_equals_the_model_after_every_merge(workshop: Workshop, seed: int) -> None:
    chance, engine, target = random.Random(seed), workshop.engine, workshop.table()
    model = best(first := batch(chance))
    stage = workshop.stage(COLUMNS, first, BY_ID)
    assert engine.overwrite(target, stage, commit(1), BY_ID).rows_in == len(model)
    for epoch in range(2, 2 + BATCHES):
        rows = batch(chance)
        model, inserted, updated = merged(model, rows)
        stage = workshop.stage(COLUMNS, rows, BY_ID)
        for _ in range(chance.choice([1, 2])):
            written = engine.merge(target, stage, commit(epoch), BY_ID)
            assert (written.rows_inserted, written.rows_updated) == (inserted, updated), rows
        assert written.rows_in == len(best(rows))
        assert workshop.rows(target) == sorted(model.values(), key=repr), rows
