"""The shrink guard: nothing is published that would lose too much, and nothing else is in the way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_dataloader.loader.shrink_guard import exceeds
from tests.bench import Bench

INCREMENTAL = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "at"}
ROLLING = {"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 100_000}
#: Each way of putting a new version in the place of rows, as columns of the row before its second load.
WAYS = {
    "full": ({}, {}),
    "rolling, window": (ROLLING, {}),
    "rolling, keep": (ROLLING | {"rolling_retention": "keep"}, {}),
    "load_full": (INCREMENTAL, {"load_full": "true"}),
    "backfill": (INCREMENTAL, {"load_strategy": "chunked_backfill"}),
}


def make(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, at date)")
    bench.source.execute("INSERT INTO items SELECT i, date '2026-01-01' + i FROM generate_series(1, 100) i")


#: The others are played in the long run.
SAMPLE = {"full", "rolling, keep"}


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in SAMPLE else pytest.mark.faults) for way in WAYS]
)
def test_a_version_that_lost_too_much_is_not_published(bench: Bench, way: str) -> None:
    make(bench)
    columns, later = WAYS[way]
    row = bench.row(**columns, shrink_guard_percent=10)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id % 10 = 0")
    bench.set(row, shrink_guard_percent=10, **later)
    # Exactly what is allowed.
    bench.succeed(row)
    before, version = bench.source_rows(), bench.history(row)[-1].target_version
    assert bench.target_rows() == before
    bench.source.execute("DELETE FROM items WHERE id % 2 = 0")
    bench.set(row, shrink_guard_percent=10, **later)
    failed = bench.fail(row)
    assert "would hold 50 rows where it holds 90, 45 % fewer; shrink_guard_percent is 10." in failed.message
    last = bench.history(row)[-1]
    assert (last.failure["error"], last.failure["field"]) == ("ShrinkRefused", "shrink_guard_percent")
    assert failed.receipt.target_version is None
    assert bench.target_rows() == before
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert found.version == version
    # What the message says helps.
    bench.set(row, shrink_guard_percent=45)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_rows_of_one_key_are_one_row(bench: Bench) -> None:
    make(bench)
    row = bench.row(**INCREMENTAL, shrink_guard_percent=10)
    bench.succeed(row)
    bench.source.execute("CREATE TABLE copy AS SELECT id % 10 AS id, at FROM items")
    bench.source.execute("DROP TABLE items; ALTER TABLE copy RENAME TO items")
    bench.set(row, load_full="true")
    assert "would hold 10 rows where it holds 100" in bench.fail(row).message


def test_a_slice_is_compared_with_the_slice(bench: Bench) -> None:
    make(bench)
    row = bench.row(**ROLLING, rolling_retention="keep", shrink_guard_percent=10)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id <= 50")
    bench.source.execute("UPDATE items SET at = current_date WHERE id > 90")
    bench.set(row, rolling_days=2, shrink_guard_percent=0)
    # None of the window's days is at the target, whatever is gone of older ones.
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id = 100")
    assert "would hold 9 rows where it holds 10, 10 % fewer" in bench.fail(row).message


def test_growing_and_first_loads_are_no_matter(bench: Bench) -> None:
    make(bench)
    row = bench.row(shrink_guard_percent=0)
    first = bench.succeed(row).receipt
    assert first.source_rows is None, "there was nothing to lose, so nothing was counted"
    bench.source.execute("INSERT INTO items VALUES (101, NULL)")
    assert bench.succeed(row).receipt.source_rows == 101


def test_the_guard_does_not_stand_in_for_the_policy_of_empty_sources(bench: Bench) -> None:
    make(bench)
    row = bench.row(shrink_guard_percent=100)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items")
    assert "empty_source_policy" in bench.fail(row).message
    bench.set(row, empty_source_policy="allow", shrink_guard_percent=99)
    assert "would hold 0 rows where it holds 100" in bench.fail(row).message
    bench.set(row, shrink_guard_percent=100)
    bench.succeed(row)
    assert not bench.target_rows()


def test_rows_that_are_marked_as_deleted_are_not_lost_again(bench: Bench) -> None:
    make(bench)
    soft = {"delete_policy": "soft", "delete_cron": "@yearly"}
    row = bench.row(**INCREMENTAL, **soft, shrink_guard_percent=40)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id <= 40")
    bench.set(row, next_delete_scan=datetime(2020, 1, 1, tzinfo=UTC))
    assert bench.succeed(row).receipt.rows_deleted == 40
    bench.source.execute("DELETE FROM items WHERE id = 100")
    bench.set(row, load_full="true", shrink_guard_percent=1)
    assert "would hold 59 rows where it holds 60, 2 % fewer" in bench.fail(row).message
    bench.set(row, shrink_guard_percent=2)
    assert bench.succeed(row).receipt.rows_inserted == 59


@pytest.mark.parametrize(
    ("percent", "lost", "held", "beyond"),
    [
        (0, 0, 10, False),
        (0, 1, 10, True),
        (10, 1, 10, False),
        (10, 2, 10, True),
        (100, 10, 10, False),
        (15, -5, 10, False),
        (15, 0, 0, False),
        (33, 1, 3, True),
        (34, 1, 3, False),
    ],
)
def test_the_share_is_compared_exactly(percent: int, lost: int, held: int, *, beyond: bool) -> None:
    assert exceeds(percent, lost, held) is beyond
