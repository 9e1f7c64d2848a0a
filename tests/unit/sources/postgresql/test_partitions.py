"""Ranges of row addresses; what they select is tested on a real server."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.partitions import (
    SMALL_BLOCKS,
    block_ranges,
    hash_parts,
    partitions,
)
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.source_configs import config

DESCRIBED = (DescribedColumn(name="id", base="int8", declared="bigint"),)


@given(blocks=st.integers(0, 2**32 - 1), parts=st.integers(1, 256))
def test_every_page_is_in_exactly_one_range(blocks: int, parts: int) -> None:
    ranges = block_ranges(blocks, parts)
    if not ranges:
        assert parts == 1 or blocks <= 1
        return
    ends = [tuple(map(int, re.findall(r"\((\d+),0\)", text))) for text in ranges]
    assert ranges[0].startswith("ctid <")
    assert ranges[-1] == f"ctid >= '({ends[-1][0]},0)'::tid"
    for left, right in pairwise(ends):
        assert left[-1] == right[0]
    sizes = [right[-1] - right[0] for right in ends[1:-1]]
    assert all(size > 0 for size in sizes)
    assert len(ranges) <= parts


def _parts(blocks: tuple[int, int], parallelism: int, **overrides: object) -> int:
    columns = plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    found = partitions(
        lambda sql: [blocks],
        relation='"public"."t"',
        columns=columns,
        described=DESCRIBED,
        config=config(**overrides),
        parallelism=parallelism,
    )
    return len(found) or 1


@pytest.mark.parametrize(
    ("main", "total", "parallelism", "expected"),
    [
        (10, 10, 8, 1),
        (2 * SMALL_BLOCKS - 1, 2 * SMALL_BLOCKS - 1, 8, 1),
        (2 * SMALL_BLOCKS, 2 * SMALL_BLOCKS, 8, 2),
        (100 * SMALL_BLOCKS, 100 * SMALL_BLOCKS, 8, 8),
        # Wide values lie outside the pages that addresses count.
        (10, 100 * SMALL_BLOCKS, 8, 8),
        (3, 100 * SMALL_BLOCKS, 8, 3),
        (100 * SMALL_BLOCKS, 100 * SMALL_BLOCKS, 1, 1),
    ],
)
def test_the_size_of_a_table_decides_the_number_of_parts(
    main: int, total: int, parallelism: int, expected: int
) -> None:
    assert _parts((main, total), parallelism) == expected


def test_a_row_s_own_number_is_taken_for_small_tables_too() -> None:
    assert _parts((10, 10), 1, num_partitions=4) == 4
    assert _parts((10**6, 10**6), 8, num_partitions=1) == 1


def test_texts_are_dealt_out_by_hash_and_null_is_in_the_first_part() -> None:
    number = 'coalesce(abs(hashtextextended(CAST("x" AS text) COLLATE "C", 0) % 2), 0)'
    assert hash_parts('"x"', 2) == (f"{number} = 0", f"{number} = 1")
