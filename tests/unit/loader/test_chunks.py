"""Which rows a chunk is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_dataloader.control.backfill import Chunk
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.loader.chunks import predicate
from airflow_dataloader.sources.dialect import DescribedColumn
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.unit.loader.jobs import job
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
    load = job(load_strategy="chunked_backfill", null_cursor_policy=policy)
    load.described, load.columns = DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    assert predicate(load, progress("direct"), chunk, cursor).startswith(expected)


def test_where_no_row_has_a_cursor_there_is_no_range() -> None:
    load = job(load_strategy="chunked_backfill")
    load.described, load.columns = DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    found = progress("direct")
    empty = replace(found, plan=replace(found.plan, high=None))
    assert predicate(load, empty, Chunk(number=1, null_cursor=True), cursor) == '"updated_at" IS NULL'
