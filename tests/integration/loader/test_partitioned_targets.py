"""Targets that people have partitioned, or given types that change a text: a value arrives, or is refused."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.loader.verify.rows import verify_rows
from tests.bench import Bench

ITEMS = """
    CREATE TABLE items (id integer, region text, at integer);
    INSERT INTO items VALUES (1, '', 1), (2, 'eu', 2)"""


def make(bench: Bench, columns: str, **overrides: Any) -> int:
    """Add a row for two items, and a target of a person's own."""
    bench.source.execute(ITEMS)
    bench.spark_sql(f"CREATE TABLE {{t}} {columns}")
    values = {"load_strategy": "incremental", "primary_key_cols": "region,id", "incremental_column": "at"}
    return bench.row(**(values | overrides))


PARTITIONED = "(id INT, region STRING, at INT) USING delta PARTITIONED BY (region)"


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"primary_key_cols": "id"},
        {"load_strategy": "full", "primary_key_cols": None, "incremental_column": None},
        {"load_strategy": "append_only", "primary_key_cols": None},
        {"value_policy": "string"},
    ],
    ids=["in the key", "beside the key", "full", "append_only", "string"],
)
def test_an_empty_text_is_refused_where_the_target_s_partitions_would_make_it_null(
    bench: Bench, overrides: dict[str, Any]
) -> None:
    row = make(bench, PARTITIONED, **overrides)
    refused = bench.fail(row)
    assert "Column 'region' holds an empty text, which becomes NULL where the target is partitioned" in (
        refused.message
    )
    assert bench.target_rows().total() == 0
    bench.source.execute("UPDATE items SET region = 'us' WHERE id = 1")
    bench.succeed(row)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_an_empty_text_becomes_null_where_the_row_wants_that_and_is_counted(bench: Bench) -> None:
    row = make(bench, PARTITIONED, primary_key_cols="id", value_policy="null")
    assert bench.succeed(row).receipt.values_replaced == 1
    bench.succeed(row)
    assert sorted(bench.target_rows(), key=lambda item: item[0]) == [(1, None, 1), (2, "eu", 2)]
    (verified,) = verify_rows(bench.context, [row])
    assert verified.equal, verified


@pytest.mark.parametrize("strategy", ["incremental", "full"])
def test_bytes_are_refused_where_the_target_s_partitions_would_make_texts_of_them(
    bench: Bench, strategy: str
) -> None:
    row = make(bench, PARTITIONED.replace("STRING", "BINARY"), load_strategy=strategy)
    bench.source.execute("ALTER TABLE items ALTER region TYPE bytea USING convert_to(region, 'UTF8')")
    refused = bench.fail(row)
    assert "The target is partitioned by column 'region', which is bytea at the source" in refused.message
    assert bench.target_rows().total() == 0


@pytest.mark.parametrize("padded", ["bpchar", "char(3)"])
def test_blanks_are_no_empty_text(bench: Bench, padded: str) -> None:
    row = make(bench, PARTITIONED, primary_key_cols="id")
    bench.source.execute("UPDATE items SET region = 'us'")
    bench.source.execute(f"ALTER TABLE items ALTER region TYPE {padded}")
    bench.source.execute("UPDATE items SET region = '   ' WHERE id = 1")
    bench.succeed(row)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_text_that_would_be_padded_is_refused_by_its_column(bench: Bench) -> None:
    row = make(bench, "(id INT, region CHAR(5), at INT) USING delta", primary_key_cols="id")
    bench.spark_sql("INSERT INTO {t} VALUES (9, 'x', 9)")
    refused = bench.fail(row)
    assert "region" in refused.message
    assert "char(5)" in refused.message
    bench.set(row, load_full="true")
    bench.succeed(row)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
