"""What a backfill puts on record where it goes on: at an older source, or with nothing left to read."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.integration.loader.breaking import break_off
from tests.integration.loader.strategies.backfills import CHUNKED, make


@pytest.mark.parametrize("future", [False, True])
@pytest.mark.parametrize("loads", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_a_backfill_that_goes_on_at_a_lagging_copy_is_caught_up_with_later(
    bench: Bench, loads: int, *, future: bool
) -> None:
    make(bench)
    if future:
        # It does not hide how far the copy has come.
        bench.source.execute("INSERT INTO items VALUES (0, 'of the future', '2999-01-01')")
    row = bench.row(**CHUNKED, lookback="0 seconds")
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("CREATE TABLE newest AS SELECT * FROM items WHERE id > 302")
    bench.source.execute("DELETE FROM items WHERE id > 302")
    if loads == 2:
        # What it has read of the last range stays as it is, although the next load sees all of the source.
        break_off(bench, row, Moment.CHUNKED, 2)
        bench.source.execute("INSERT INTO items SELECT * FROM newest WHERE id = 305")
        bench.source.execute("DELETE FROM items WHERE id = 301")
    assert ("it goes no further than the source" in bench.succeed(row).message) == (loads == 1)
    assert bench.state(row).incremental_value == "2025-04-04 00:02:00+00"
    bench.source.execute("INSERT INTO items SELECT * FROM newest ON CONFLICT DO NOTHING")
    bench.succeed(row)
    held = bench.target_rows()
    assert bench.source_rows() <= held
    assert bench.state(row).incremental_value == "2025-04-04 00:05:00+00"
    assert {name[0] for name in (held - bench.source_rows())} == ({301} if loads == 2 else set())


def test_a_backfill_begins_anew_where_no_row_has_a_cursor_any_more(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("UPDATE items SET at = NULL")
    assert "No row has a cursor any more; the backfill begins anew." in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("mode", ["direct", pytest.param("staged", marks=pytest.mark.faults)])
def test_whoever_finds_the_end_there_says_which_version_it_is_and_whose(bench: Bench, mode: str) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    if mode == "staged":
        bench.succeed(row)
        bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.PUBLISHED, 1 if mode == "staged" else 5)
    bench.succeed(row)
    broken, finisher = bench.history(row)[-2:]
    assert broken.target_version is not None
    assert (finisher.target_version, finisher.receipt["committed_by"]) == (broken.target_version, broken.id)
    counts = (finisher.rows_read, finisher.rows_inserted, finisher.rows_updated, finisher.rows_processed)
    assert counts == (0, 0, 0, 0), "the rows are on record with the load that published them"
    # The version is none that this load's own epoch has published: it is no sign of an older target.
    bench.source.execute("INSERT INTO items VALUES (999, 'new', '2025-04-05')")
    after = bench.succeed(row).receipt
    assert (after.low, after.rows_inserted, after.committed_by) == ("2025-04-04 00:05:00+00", 1, None)


def test_a_staging_table_that_has_all_chunks_replaces_the_target_by_a_load_that_reads_none(
    bench: Bench,
) -> None:
    make(bench)
    row = bench.row(**CHUNKED | {"load_strategy": "full"})
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.CHUNKED, 5)
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_read, receipt.rows_inserted, receipt.committed_by) == (0, 20, None)
    assert receipt.target_version is not None


def test_a_backfill_begins_anew_where_somebody_has_emptied_its_target(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    # By a condition: a DELETE or TRUNCATE of everything is told from a change of rows by its name.
    bench.spark_sql("DELETE FROM {t} WHERE id > 0")
    assert "The target is not as its unfinished backfill left it" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_source_that_is_another_one_when_a_backfill_goes_on_is_said(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("ALTER TABLE items RENAME TO old")
    bench.source.execute("CREATE TABLE items AS SELECT id, 'new' AS name, at FROM old")
    message = bench.succeed(row).message
    assert "Went on with chunk 3 of 5." in message
    assert "another one of this name than when chunks were read before" in message
    assert sorted(name for _, name, _ in bench.target_rows().elements()) == ["new"] * 10 + ["old"] * 10
