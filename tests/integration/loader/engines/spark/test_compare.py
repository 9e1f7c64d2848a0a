"""Digests and differences of what a source holds and what a target holds, in both modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_dataloader.core.comparison import Compared, Parts
from airflow_dataloader.loader.engines.protocol import Deduplication, TargetRows
from tests.integration.loader.engines.spark.workshop import Workshop, column

COLUMNS = {"id": "int", "name": "string", "price": "decimal(10,2)"}
ROWS: list[tuple[Any, ...]] = [(1, "a", 1.5), (2, None, 2), (2, "", 2), (30, "c", None), (None, "d", 4)]


def compared(*keys: str, cuts: Sequence[str] = (), count: int = 4) -> Compared:
    columns = tuple(column(name, kind) for name, kind in COLUMNS.items())
    parts = Parts(count=len(cuts) + 1, column=columns[0], cuts=tuple(cuts)) if cuts else Parts(count=count)
    return Compared(columns=columns, keys=tuple(each for each in columns if each.name in keys), parts=parts)


def held(workshop: Workshop, rows: list[tuple[Any, ...]], where: str | None = None) -> TargetRows:
    workshop.fill(workshop.table(), COLUMNS, rows)
    return TargetRows(target=workshop.table(), version=workshop.version(workshop.table()), where=where)


def test_equal_rows_have_equal_digests_in_any_order(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, ROWS)
    for what in (compared("id", cuts=["2", "30"]), compared("id"), compared()):
        rows = engine.read(workshop.plan(COLUMNS, reversed(ROWS)))
        ours = engine.digests(rows, what)
        assert ours == engine.digests(target, what)
        assert sum(digest.rows for digest in ours.values()) == 5
        assert engine.differences(rows, target, what, range(4), limit=5) == []


def test_a_doubled_row_is_another_digest(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, ROWS)
    rows = engine.read(workshop.plan(COLUMNS, [*ROWS, ROWS[0], ROWS[0]]))
    for what in (compared("id", count=1), compared(count=1)):
        assert engine.digests(rows, what) != engine.digests(target, what)
        (part,) = engine.differences(rows, target, what, [0], limit=5)
        ((sample),) = part.samples
        assert (part.different, sample.source_rows, sample.target_rows) == (1, 3, 1)


def test_differences_are_counted_by_part_and_named_by_key(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, [*ROWS, (31, "e", 5), (32, "f", 6)])
    rows = engine.read(
        workshop.plan(COLUMNS, [(0, "x", 0), (1, "a", -1.5), *ROWS[1:3], (30, "", 0), ROWS[4]])
    )
    first, last = engine.differences(rows, target, compared("id", cuts=["2", "30"]), [0, 1, 2], limit=2)
    assert (first.number, first.missing, first.extra, first.different) == (0, 1, 0, 1)
    assert [(sample.key, sample.columns) for sample in first.samples] == [(("0",), ()), (("1",), ("price",))]
    assert (last.number, last.missing, last.extra, last.different) == (2, 0, 2, 1)
    assert [sample.key for sample in last.samples] == [("30",), ("31",)]
    assert last.samples[0].columns == ("name", "price")
    only_last = engine.differences(rows, target, compared("id", cuts=["2", "30"]), [2], limit=2)
    assert only_last == [last]


def test_a_row_without_a_key_is_in_the_first_range(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, ROWS)
    rows = engine.read(workshop.plan(COLUMNS, ROWS[:4]))
    (part,) = engine.differences(rows, target, compared("id", cuts=["2"]), [0, 1], limit=5)
    assert (part.number, part.samples[0].key) == (0, (None,))


def test_one_row_a_key_is_compared_where_loads_choose_one(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, [(1, "new", 2)])
    rows = engine.read(workshop.plan(COLUMNS, [(1, "old", 1), (1, "new", 2), (None, "x", 3)]))
    dedup = Deduplication(keys=("id",), cursor="price")
    what = compared("id", count=1)
    assert engine.digests(rows, what, dedup=dedup) == engine.digests(target, what)
    assert engine.differences(rows, target, what, [0], dedup=dedup, limit=5) == []


def test_keys_can_be_left_out_on_both_sides(workshop: Workshop) -> None:
    engine, target = workshop.engine, held(workshop, [(1, "a", 1), (2, "old", 2)])
    rows = engine.read(workshop.plan(COLUMNS, [(1, "a", 1)]))
    later = engine.read(workshop.plan({"id": "int"}, [(2,), (3,)]))
    what = compared("id", count=1)
    assert engine.digests(target, what, without=later) == engine.digests(rows, what, without=later)
    assert engine.differences(rows, target, what, [0], without=later, limit=5) == []


def test_a_target_is_compared_as_it_was_at_its_version(workshop: Workshop) -> None:
    engine, before = workshop.engine, held(workshop, ROWS)
    workshop.sql("DELETE FROM {t} WHERE id = 1", t=workshop.table())
    rows = engine.read(workshop.plan(COLUMNS, ROWS))
    assert engine.digests(before, compared()) == engine.digests(rows, compared())
    now = TargetRows(target=workshop.table(), version=before.version + 1, where="id IS NOT NULL")
    assert sum(digest.rows for digest in engine.digests(now, compared()).values()) == 3


@pytest.mark.parametrize("wider", [{"id": "bigint", "name": "string", "price": "decimal(38,18)"}])
def test_a_wider_type_holds_the_same_values(workshop: Workshop, wider: dict[str, str]) -> None:
    engine = workshop.engine
    workshop.fill(workshop.table(), wider, ROWS)
    target = TargetRows(target=workshop.table(), version=workshop.version(workshop.table()))
    rows = engine.read(workshop.plan(COLUMNS, ROWS))
    what = compared("id", cuts=["2"])
    assert engine.digests(rows, what) == engine.digests(target, what)
