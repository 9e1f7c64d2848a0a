"""``check_and_load``: nothing is read and nothing is written where nothing changed."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.bench import Bench


@pytest.fixture
def row(bench: Bench) -> int:
    bench.source.execute("CREATE TABLE items (id integer, name text, at timestamptz)")
    bench.source.execute(
        "INSERT INTO items VALUES (1, 'one', '2026-01-01 10:00:00+00'), "
        "(2, 'two', '2026-01-01 09:50:00+00'), "
        "(3, 'long ago', '2020-01-01 10:00:00+00'), (4, 'no cursor', NULL)"
    )
    return bench.row(load_strategy="check_and_load", incremental_column="at", primary_key_cols="id")


def idles(bench: Bench, row: int) -> bool:
    before = bench.found().version
    result = bench.succeed(row)
    idle = result.message == "no changes"
    assert idle == (bench.found().version == before)
    if idle:
        assert (result.receipt.rows_read, result.receipt.rows_published) == (0, 0)
    return idle


def test_without_a_change_nothing_happens_time_after_time(bench: Bench, row: int) -> None:
    bench.succeed(row)
    before = bench.state(row)
    for _ in range(3):
        assert idles(bench, row)
    after = bench.state(row)
    assert (after.incremental_value, after.watermark_of) == (before.incremental_value, before.watermark_of)
    assert after.last_status_message == "no changes"
    assert bench.target_rows() == bench.source_rows()


#: One after another, each seen by the window of the one before it.
CHANGES = [
    "INSERT INTO items VALUES (5, 'at the bound', '2026-01-01 10:00:00+00')",
    "INSERT INTO items VALUES (6, 'committed late', '2026-01-01 09:46:00+00')",
    "INSERT INTO items VALUES (7, 'no cursor', NULL)",
    "UPDATE items SET name = 'uno' WHERE id = 1",
    "UPDATE items SET name = NULL WHERE id = 2",
    "UPDATE items SET name = '' WHERE id = 2",
    "INSERT INTO items VALUES (8, 'newer', '2026-01-01 10:01:00+00')",
    "ALTER TABLE items ADD colour text",
]


def test_every_change_that_a_window_reaches_is_loaded_once(bench: Bench, row: int) -> None:
    bench.succeed(row)
    for change in CHANGES:
        bench.source.execute(change)
        assert not idles(bench, row), change
        assert bench.target_rows() == bench.source_rows()
    assert idles(bench, row)


def test_what_no_window_reaches_is_no_change(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET name = 'changed without its cursor' WHERE id = 3")
    assert idles(bench, row)


def test_a_source_that_has_gone_back_is_read_and_told_of_every_time(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.source.execute("TRUNCATE items")
    for number in (1, 2):
        bench.source.execute("INSERT INTO items VALUES (%s, 'anew', '2025-01-01 10:00:00+00')", (number,))
        result = bench.succeed(row)
        assert "below the watermark" in result.message


#: One after another: each makes the row another one than that of the load before.
EDITS: list[dict[str, str]] = [
    {"load_full": "true"},
    {"query": "SELECT * FROM items WHERE id > 0"},
    {"lookback": "1 hour"},
    {"incremental_value": "2026-01-01 09:00:00+00"},
    {"destination_table_name": "elsewhere"},
    {"null_cursor_policy": "exclude"},
]


def test_an_edited_row_is_loaded(bench: Bench, row: int) -> None:
    bench.succeed(row)
    for edit in EDITS:
        bench.set(row, **edit)
        assert bench.succeed(row).message != "no changes", edit
    assert bench.target_rows("elsewhere") == bench.source_rows()


def test_a_null_that_the_policy_refuses_is_not_passed_over(bench: Bench, row: int) -> None:
    bench.source.execute("DELETE FROM items WHERE at IS NULL")
    bench.set(row, null_cursor_policy="fail")
    bench.succeed(row)
    assert idles(bench, row)
    bench.source.execute("INSERT INTO items VALUES (4, 'no cursor', NULL)")
    assert "null_cursor_policy" in bench.fail(row).message


def test_what_an_unsettled_load_brought_is_not_taken_for_what_the_last_one_did(
    bench: Bench, row: int
) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET name = 'for a moment' WHERE id = 1")
    bench.succeed(row)
    with bench.control.begin() as connection:
        # As if that load had been killed before it settled.
        connection.execute(text("SET LOCAL dataloader.repair = 'on'"))
        last = "(SELECT max(id) FROM control.historical_metadata)"
        connection.execute(
            text(
                "UPDATE control.historical_metadata SET load_status = 'Failed', target_version = NULL, "
                f'receipt = NULL, failure = \'{{"settled_by": "reap"}}\' WHERE id = {last}'
            )
        )
        connection.execute(text("UPDATE control.table_control SET last_status = 'Failed'"))
    bench.source.execute("UPDATE items SET name = 'one' WHERE id = 1")
    assert bench.succeed(row).message != "no changes"
    assert bench.target_rows() == bench.source_rows()
