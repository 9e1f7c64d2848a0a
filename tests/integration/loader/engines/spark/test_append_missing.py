"""Appending what a target does not hold yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_dataloader.exceptions import EngineFailed, SchemaRefused
from airflow_dataloader.loader.engines.protocol import Deduplication
from tests.integration.loader.engines.spark.workshop import Workshop, commit

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.protocol import Written

COLUMNS = {"id": "int", "at": "int", "name": "string"}
BY_ID = Deduplication(keys=("id",), cursor="at")
BY_ROW = Deduplication(keys=(), cursor="at")


def add(
    workshop: Workshop, columns: dict[str, str], rows: list[tuple[Any, ...]], epoch: int, dedup: Deduplication
) -> Written:
    stage = workshop.stage(columns, rows, dedup)
    return workshop.engine.append_missing(workshop.table(), stage, commit(epoch), dedup)


def counts(written: Written) -> tuple[int, int, int | None]:
    return written.rows_in, written.rows_inserted, written.rows_present


def test_keys_that_are_held_stay_as_they_are_whatever_became_of_their_cursor(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, 1, "a"), (2, 90, "b"), (3, None, "c")])
    rows = [(1, 5, "A"), (2, 5, "B"), (3, 5, "C"), (4, 5, "d"), (4, 6, "newest"), (None, 6, "no")]
    assert counts(add(workshop, COLUMNS, rows, 2, BY_ID)) == (4, 1, 3)
    assert workshop.rows(workshop.table()) == [(1, 1, "a"), (2, 90, "b"), (3, None, "c"), (4, 6, "newest")]


def test_nothing_is_missing_twice(workshop: Workshop) -> None:
    rows = [(1, 1, "a"), (2, None, None), (2, None, None)]
    for dedup in (BY_ID, BY_ROW):
        target = workshop.table(f"t{len(dedup.keys)}")
        workshop.fill(target, COLUMNS, [(0, 0, "x")])
        stage = workshop.stage(COLUMNS, rows, dedup)
        first = workshop.engine.append_missing(target, stage, commit(2), dedup)
        assert workshop.engine.append_missing(target, stage, commit(2), dedup) == first
        again = workshop.engine.append_missing(target, stage, commit(3), dedup)
        assert (again.rows_inserted, again.rows_present) == (0, first.rows_in)


def test_equal_rows_are_counted_against_each_other(workshop: Workshop) -> None:
    held = [(1, 1, "twice"), (1, 1, "twice"), (2, None, None), (3, 3, "only here")]
    workshop.fill(workshop.table(), COLUMNS, held)
    staged = [(1, 1, "twice")] * 3 + [(2, None, None)] * 2 + [(2, 2, None)]
    assert counts(add(workshop, COLUMNS, staged, 2, BY_ROW)) == (6, 3, 3)
    expected = [*held, (1, 1, "twice"), (2, None, None), (2, 2, None)]
    assert workshop.rows(workshop.table()) == sorted(expected, key=repr)


def test_floats_are_what_they_are(workshop: Workshop) -> None:
    columns = {"at": "int", "x": "double", "y": "float"}
    workshop.fill(workshop.table(), columns, [(1, "NaN", "-0"), (1, "0.1", "0.1")])
    rows = [(1, "NaN", "-0"), (1, "NaN", "0"), (1, "0.1", "0.1"), (1, "-0", "NaN")]
    assert counts(add(workshop, columns, rows, 2, BY_ROW)) == (4, 2, 2)


def test_narrower_and_wider_columns_are_compared_by_value(workshop: Workshop) -> None:
    workshop.fill(
        workshop.table(), {"at": "bigint", "x": "float", "n": "decimal(10,2)"}, [(1, "0.5", "1.50")]
    )
    columns = {"at": "int", "x": "double", "n": "decimal(12,2)"}
    rows = [(1, "0.5", "1.5"), (1, "0.1", "1.5")]
    assert counts(add(workshop, columns, rows, 2, BY_ROW)) == (2, 1, 1)


def test_new_columns_do_not_make_old_rows_new(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), {"id": "int", "gone": "int"}, [(1, 7), (2, 8)])
    rows = [(1, None), (1, "second"), (2, None), (3, "new")]
    dedup = Deduplication(keys=(), cursor="more")
    assert counts(add(workshop, {"id": "int", "more": "string"}, rows, 2, dedup)) == (4, 2, 2)
    assert workshop.rows(workshop.table()) == [
        (1, 7, None), (1, None, "second"), (2, 8, None), (3, None, "new")]  # fmt: skip


def test_a_new_cursor_that_old_rows_were_given_is_refused(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), {"id": "int"}, [(1,), (2,)])
    dedup = Deduplication(keys=(), cursor="more")
    with pytest.raises(SchemaRefused, match="without a value in column more"):
        add(workshop, {"id": "int", "more": "string"}, [(1, "given"), (2, None), (3, "new")], 2, dedup)
    assert workshop.rows(workshop.table()) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("smallint", ["-32768", "5"]),
        ("bigint", ["-9223372036854775808", "9223372036854775807"]),
        ("decimal(38,18)", ["-0.000000000000000001", "99999999999999999999.999999999999999999"]),
        ("date", ["0001-01-01", "9999-12-31"]),
        ("timestamp", ["0001-01-01 00:00:00+00", "2026-01-01 00:00:00.000001+00"]),
        ("timestamp_ntz", ["1582-10-10 00:00:00", "9999-12-31 23:59:59.999999"]),
        ("string", ["", "it's"]),
        ("double", ["NaN", "-0"]),
        ("boolean", ["false", "true"]),
    ],
)
def test_the_range_of_every_type_holds_its_own_values(
    workshop: Workshop, kind: str, values: list[str]
) -> None:
    rows: list[tuple[Any, ...]] = [(values[0],), (values[1],), (None,)]
    for dedup in (Deduplication(keys=("x",), cursor=None), Deduplication(keys=(), cursor="x")):
        target = workshop.table(f"t{len(dedup.keys)}")
        workshop.fill(target, {"x": kind}, rows)
        stage = workshop.stage({"x": kind}, rows, dedup)
        assert workshop.engine.append_missing(target, stage, commit(2), dedup).rows_inserted == 0


def test_rows_without_any_cursor_are_found_too(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), COLUMNS, [(1, None, "a"), (2, 5, "b")])
    assert counts(add(workshop, COLUMNS, [(1, None, "a"), (2, None, "b")], 2, BY_ROW)) == (2, 1, 1)


def test_a_key_column_that_the_target_lacks_is_refused(workshop: Workshop) -> None:
    workshop.fill(workshop.table(), {"at": "int"}, [(1,)])
    with pytest.raises(SchemaRefused, match="Key column id is new"):
        add(workshop, COLUMNS, [(1, 1, "a")], 2, BY_ID)


def test_a_target_that_vanished_is_not_made_again(workshop: Workshop) -> None:
    with pytest.raises(EngineFailed, match="vanished"):
        add(workshop, COLUMNS, [(1, 1, "a")], 2, BY_ID)
