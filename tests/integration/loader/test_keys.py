"""A key that the target's rows do not have, or have otherwise, doubles none of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import Bench

ITEMS = """
    CREATE TABLE items (id integer, code numeric(10,2), at timestamptz);
    INSERT INTO items SELECT i, i * 1.5, timestamptz '2026-01-01' + i * interval '1 hour'
    FROM generate_series(1, 4) i"""


def make(bench: Bench, strategy: str = "incremental", key: str | None = "id", **overrides: Any) -> int:
    """Add a row that loads four items."""
    bench.source.execute(ITEMS)
    values = {"load_strategy": strategy, "incremental_column": "at", "primary_key_cols": key}
    return bench.row(**(values | overrides))


@pytest.mark.parametrize("strategy", ["incremental", "append_only"])
def test_rows_that_came_before_a_column_of_the_key_are_not_doubled(bench: Bench, strategy: str) -> None:
    row = make(bench, strategy)
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD tenant integer NOT NULL DEFAULT 1")
    bench.succeed(row)
    bench.set(row, primary_key_cols="tenant,id")
    refused = bench.fail(row)
    assert "rows of bronze" in refused.message
    assert "have NULL in the key (tenant, id)" in refused.message
    assert "load_full" in refused.message
    assert bench.target_rows().total() == 4
    bench.spark_sql("UPDATE {t} SET tenant = 1")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_rows_that_get_their_key_later_are_not_doubled(bench: Bench) -> None:
    row = make(bench, "full", None)
    bench.source.execute("INSERT INTO items VALUES (NULL, 1, '2026-01-02')")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental", primary_key_cols="id")
    assert "1 rows of bronze" in bench.fail(row).message
    bench.spark_sql("DELETE FROM {t} WHERE id IS NULL")
    assert bench.succeed(row).receipt.null_keys == 1
    bench.source.execute("UPDATE items SET id = 5, at = '2026-01-03' WHERE id IS NULL")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_how_far_a_person_says_a_row_has_come_says_nothing_of_its_keys(bench: Bench) -> None:
    row = make(bench, "append_only", None)
    bench.succeed(row)
    bench.source.execute(
        "INSERT INTO items SELECT id, code + 1, at + interval '1 day' FROM items WHERE id = 1"
    )
    bench.succeed(row)
    word = "2026-01-01 01:00:00+00"
    bench.set(row, load_strategy="incremental", primary_key_cols="id", incremental_value=word)
    assert "holds several rows of one key (id = '1')" in bench.fail(row).message


#: Key before, and after; the strategies beside them.
RESPELLED = [
    ("incremental", "id", "incremental", "code"),
    ("append_only", "code", "append_only", None),
    ("append_only", None, "incremental", "code"),
]


@pytest.mark.parametrize(("before", "key", "after", "later"), RESPELLED)
def test_numbers_that_are_written_otherwise_in_a_key_are_not_doubled(
    bench: Bench, before: str, key: str | None, after: str, later: str | None
) -> None:
    row = make(bench, before, key, value_policy="string")
    bench.succeed(row)
    held = bench.target_rows()
    bench.set(row, load_strategy=after, primary_key_cols=later)
    refused = bench.fail(row)
    assert "code of" in refused.message
    assert "rows that are there would come a second time" in refused.message
    assert bench.target_rows() == held
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert bench.target_rows().total() == 4
    bench.succeed(row)
    assert bench.target_rows().total() == 4
