"""The digests must tell what differs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_dataloader.loader.engines.spark.names import WarehouseNames
from airflow_dataloader.workspace.demo import row_digest
from tests.bench import Bench

MANY = """
CREATE TABLE items AS
SELECT i AS id, 'text "' || i AS name, i::numeric(12,2) / 4 AS price, i * 1.5 AS any_number,
    i::numeric(9) AS whole, i / 8.0::float8 AS weight, date '1500-01-01' + i AS day, '{"a": 1}'::jsonb AS doc,
    timestamptz '2026-01-01 00:00:00+00' + i * interval '1.000001 second' AS at, i % 2 = 0 AS even,
    timestamp '2026-01-01 00:00:00' + i * interval '1 hour' AS local, ARRAY[i, NULL, 2] AS list,
    md5(i::text)::uuid AS key, CASE WHEN i % 3 = 0 THEN 'x' END AS "Maybe Null", 'DE'::char(2) AS land
FROM generate_series(0, 200) AS i
"""


@pytest.fixture
def spark(bench: Bench) -> Iterator[Any]:
    with row_digest.open_spark(bench.remote) as session:
        yield session


@pytest.fixture
def folder(bench: Bench) -> Path:
    """The target of a table of many types."""
    bench.source.execute(MANY)
    bench.succeed(bench.row())
    found = WarehouseNames(bench.home / "warehouse").locate(bench.target()).folder
    assert found is not None
    return found


def test_equal_tables_have_equal_digests(bench: Bench, spark: Any, folder: Path) -> None:
    source = row_digest.source_digest(bench.source, "items")
    assert source.rows == 201
    assert row_digest.target_digest(spark, folder) == source
    assert row_digest.source_digest(bench.source, "(SELECT * FROM items ORDER BY id DESC) AS q") == source


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE items SET price = price + 0.01 WHERE id = 7",
        "UPDATE items SET at = at + interval '1 microsecond' WHERE id = 7",
        "UPDATE items SET day = day + 1 WHERE id = 7",
        "UPDATE items SET name = name || ' ' WHERE id = 7",
        "UPDATE items SET \"Maybe Null\" = '' WHERE id = 7",
        "UPDATE items SET \"Maybe Null\" = '~' WHERE id = 7",
        "UPDATE items SET even = NULL WHERE id = 7",
        "UPDATE items SET name = i.name FROM items i WHERE items.id IN (7, 8) AND i.id = 15 - items.id",
        "DELETE FROM items WHERE id = 7",
        "INSERT INTO items SELECT * FROM items WHERE id = 7",
    ],
)
def test_any_difference_is_seen(bench: Bench, change: str) -> None:
    bench.source.execute(MANY)
    before = row_digest.source_digest(bench.source, "items")
    bench.source.execute(change.encode())
    assert row_digest.source_digest(bench.source, "items") != before


def test_columns_keep_their_order_and_names(bench: Bench) -> None:
    bench.source.execute('CREATE TABLE odd ("b 1" integer, a text[])')
    assert list(row_digest.source_columns(bench.source, "odd").items()) == [("b 1", "int4"), ("a", "_text")]
