"""Which rows a chunk is, and which chunks are loaded once more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.control.backfill import Chunk
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.backfill import BackfillState
from airflow_dataloader.loader.chunks import chunks_to_load, predicate
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.unit.loader.active_loads import Answers, active_load
from tests.unit.loader.test_backfill import progress

DESCRIBED = (DescribedColumn(name="updated_at", base="int4", declared="int4"),)


@pytest.mark.parametrize(
    ("chunk", "policy", "expected"),
    [
        (Chunk(number=1, high="5"), "include", "\"updated_at\" < CAST('5' AS int8)"),
        (Chunk(number=3, null_cursor=True), "include", '"updated_at" IS NULL'),
        (Chunk(number=3, null_cursor=True), "exclude", "false"),
        (Chunk(number=3, null_cursor=True), "fail", "false"),
    ],
)
def test_a_chunk_is_a_range_or_what_has_no_cursor(chunk: Chunk, policy: str, expected: str) -> None:
    load = active_load(load_strategy="chunked_backfill", null_cursor_policy=policy)
    load.described, load.columns = DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    assert predicate(load, progress("direct"), chunk, cursor).startswith(expected)


def test_where_no_row_has_a_cursor_there_is_no_range() -> None:
    load = active_load(load_strategy="chunked_backfill")
    load.described, load.columns = DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    found = progress("direct")
    empty = replace(found, plan=replace(found.plan, high=None))
    assert predicate(load, empty, Chunk(number=1, null_cursor=True), cursor) == '"updated_at" IS NULL'


def begun(*read: int | None, finished: bool = False) -> BackfillState:
    """Return a plan of three ranges and the rows without a cursor, of which so many are done."""
    ends = ((None, "3"), ("3", "5"), ("5", None))
    plan = [Chunk(number=number, low=low, high=high) for number, (low, high) in enumerate(ends, 1)]
    plan.append(Chunk(number=4, null_cursor=True))
    done = [replace(chunk, rows_read=rows) for chunk, rows in zip(plan, read, strict=False)]
    found = progress("staged")
    chunks = (*done, *plan[len(done) :])
    return replace(
        found, plan=replace(found.plan, chunks=chunks), left=chunks[len(done) :], finished=finished
    )


def numbers(found: BackfillState, *answers: list[tuple[int, ...]]) -> tuple[list[int], str]:
    load = active_load(load_strategy="chunked_backfill", session=Answers(*answers))
    load.described, load.columns = DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    cursor: CursorPlan = load.dialect.cursor(load.described, load.columns, load.config)
    loaded = [chunk.number for chunk in chunks_to_load(load, found, cursor)]
    return loaded, " ".join(load.journal.receipt.notes)


def test_of_what_is_done_the_chunks_that_got_rows_are_loaded_again() -> None:
    assert numbers(begun(7, 7, 7), [(0, 8), (1, 6), (2, 7)]) == (
        [1, 4],
        "Rows came to chunks that were done, and these were read again: 1.",
    )
    assert numbers(begun(7, 0), [(0, 7), (1, 1)])[0] == [2, 3, 4]
    assert numbers(begun(7, 7, 7, 1), [(0, 7), (1, 7), (2, 7)], [(2,)])[0] == [4]


def test_a_chunk_that_nobody_counted_is_loaded_again() -> None:
    assert numbers(begun(7, None), [(0, 7)])[0] == [2, 3, 4]


def test_rows_that_are_gone_load_nothing_again() -> None:
    assert numbers(begun(7, 7), []) == ([3, 4], "")


def test_nothing_is_counted_where_nothing_is_done_or_all_is() -> None:
    assert numbers(begun())[0] == [1, 2, 3, 4]
    assert numbers(begun(7, 7, 7, None, finished=True))[0] == []
