"""A backfill that goes on at a source which is older than its plan."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.integration.loader.strategies.test_chunked_backfill import CHUNKED, Breaking, make


@pytest.mark.parametrize("loads", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_a_backfill_that_goes_on_at_a_lagging_copy_is_caught_up_with_later(bench: Bench, loads: int) -> None:
    make(bench)
    row = bench.row(**CHUNKED, lookback="0 seconds")
    bench.observer = Breaking(Moment.CHUNKED, 2)
    bench.fail(row)
    bench.source.execute("CREATE TABLE newest AS SELECT * FROM items WHERE id > 302")
    bench.source.execute("DELETE FROM items WHERE id > 302")
    if loads == 2:
        # What it has read of the last range stays as it is, although the next load sees all of the source.
        bench.observer = Breaking(Moment.CHUNKED, 2)
        bench.fail(row)
        bench.source.execute("INSERT INTO items SELECT * FROM newest WHERE id = 305")
        bench.source.execute("DELETE FROM items WHERE id = 301")
    bench.observer = LogObserver()
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
    bench.observer = Breaking(Moment.CHUNKED, 2)
    bench.fail(row)
    bench.source.execute("UPDATE items SET at = NULL")
    bench.observer = LogObserver()
    assert "No row has a cursor any more; the backfill begins anew." in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
