"""``chunked_backfill``: a plan that outlives its attempts, and a row that is incremental afterwards."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text

from airflow_dataloader.control.tables import backfill, load_chunk, table_control_history
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.integration.loader.breaking import Breaking, break_off
from tests.integration.loader.strategies.backfills import CHUNKED, make
from tests.observers import Interfering


def plans(bench: Bench) -> list[Any]:
    with bench.control.begin() as connection:
        return list(connection.execute(select(backfill).order_by(backfill.c.id)))


def chunks(bench: Bench, plan: int) -> list[Any]:
    statement = select(load_chunk).where(load_chunk.c.backfill_id == plan).order_by(load_chunk.c.number)
    with bench.control.begin() as connection:
        return list(connection.execute(statement))


def test_a_new_table_is_filled_chunk_by_chunk_and_the_row_becomes_incremental(bench: Bench) -> None:
    make(bench)
    bench.source.execute("INSERT INTO items VALUES (9001, 'never changed', NULL), (9002, 'neither', NULL)")
    row = bench.row(**CHUNKED)
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_read, receipt.source_rows, receipt.rows_inserted, receipt.null_cursors) == (
        22, 22, 22, 2)  # fmt: skip
    assert bench.target_rows() == bench.source_rows()
    state = bench.state(row)
    assert (state.load_strategy, state.incremental_value) == ("incremental", "2025-04-04 00:05:00+00")
    assert state.watermark_of is not None
    (plan,) = plans(bench)
    assert (plan.status, plan.mode, plan.high) == ("done", "direct", state.incremental_value)
    assert plan.low == "2025-01-01 00:01:00+00"
    done = chunks(bench, plan.id)
    assert [chunk.rows_published for chunk in done] == [5, 5, 5, 5, 2]
    assert [chunk.null_cursor for chunk in done] == [False] * 4 + [True]
    assert all(chunk.committed_at for chunk in done)
    with bench.control.begin() as connection:
        changes = connection.execute(
            select(table_control_history).where(table_control_history.c.config_id == row)
        ).all()
    assert ("loader", True) in [
        (c.change_source, "load_strategy" in (c.changed_fields or ())) for c in changes
    ]
    # The next load is an incremental one, and goes on from the bound.
    bench.source.execute("INSERT INTO items VALUES (999, 'new', '2025-04-05')")
    after = bench.succeed(row).receipt
    assert (after.low, after.rows_inserted) == (state.incremental_value, 1)
    assert bench.target_rows() == bench.source_rows()


def test_a_filled_table_keeps_its_old_version_until_the_end(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED | {"load_strategy": "full"})
    before = bench.succeed(row).receipt.target_version
    old = bench.target_rows()
    bench.source.execute("UPDATE items SET name = 'new'")
    bench.source.execute("DELETE FROM items WHERE id = 101")
    bench.set(row, load_strategy="chunked_backfill")
    bench.observer = Breaking(Moment.CHUNKED, 3)
    failed = bench.fail(row)
    assert failed.receipt.rows_read == 14
    assert bench.target_rows() == old
    result = bench.succeed(row)
    assert "Went on with chunk 4 of 5" in result.message
    assert result.receipt.target_version == before + 1
    assert bench.target_rows() == bench.source_rows()
    assert bench.stages() == []
    assert bench.state(row).load_strategy == "incremental"
    (plan,) = plans(bench)
    assert (plan.status, plan.mode) == ("done", "staged")


def test_a_staging_table_that_a_stale_load_made_anew_replaces_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bench)
    row = bench.row(**CHUNKED | {"load_strategy": "full"})
    bench.succeed(row)
    old = bench.target_rows()
    bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.STAGED)
    bench.source.execute("UPDATE items SET name = 'new'")
    fence, fences = bench.engine.fence, []
    monkeypatch.setattr(bench.engine, "fence", lambda *given: (fences.append(given), fence(*given))[1])

    def overtake() -> None:
        """Do what a load does that was frozen before it dropped a strange table."""
        name, columns, commit = fences[-1]
        bench.engine.drop_stage(name)
        fence(name, columns, replace(commit, epoch=commit.epoch - 1))

    bench.observer = Interfering(Moment.CHUNKED, overtake, 2)
    assert "is not as this load left it" in bench.fail(row).message
    assert bench.target_rows() == old
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize(
    "moment",
    [
        Moment.PUBLISHED,
        *(
            pytest.param(moment, marks=pytest.mark.faults)
            for moment in (Moment.STAGED, Moment.PUBLISHING, Moment.CHUNKED)
        ),
    ],
)
def test_a_broken_backfill_goes_on_where_it_was(bench: Bench, moment: Moment) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, moment, 2)
    # What came after the bound is the next load's; what changed in a chunk that is done is, too.
    bench.source.execute("INSERT INTO items VALUES (999, 'new', '2025-04-05')")
    result = bench.succeed(row)
    assert "of 5" in result.message
    assert bench.state(row).incremental_value == "2025-04-04 00:05:00+00"
    assert len(plans(bench)) == 1
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.faults
def test_an_edited_row_begins_its_backfill_anew(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.set(row, query="SELECT * FROM items WHERE id > 100")
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows("SELECT * FROM items WHERE id > 100")
    assert [plan.status for plan in plans(bench)] == ["abandoned", "done"]


def test_a_chunk_has_the_size_that_the_row_says(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED, chunk_size="7 weeks")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    (plan,) = plans(bench)
    assert [chunk.rows_published for chunk in chunks(bench, plan.id)] == [10, 10, 0]
    bench.set(row, load_strategy="chunked_backfill", incremental_column="id", chunk_size="6")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    assert len(chunks(bench, plans(bench)[-1].id)) > 3


def test_another_chunk_size_begins_a_backfill_anew(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.set(row, chunk_size="52 weeks")
    assert (
        "The row was edited since its backfill began; the backfill begins anew." in bench.succeed(row).message
    )
    assert [plan.status for plan in plans(bench)] == ["abandoned", "done"]
    assert len(chunks(bench, plans(bench)[-1].id)) == 2
    assert bench.target_rows() == bench.source_rows()


def test_a_chunk_size_of_the_wrong_kind_fails_the_load_before_it_reads(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED, chunk_size="1000")
    failed = bench.fail(row)
    assert "chunk_size is 1000, a number of rows, by which column 'at'" in failed.message
    assert "Fix: write a span of time, such as '7 days', or leave it empty." in failed.message
    assert plans(bench) == []


@pytest.mark.faults
def test_a_target_that_was_dropped_meanwhile_begins_anew(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    shutil.rmtree(bench.home / "warehouse" / "bronze" / bench.schema / "items")
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert [plan.status for plan in plans(bench)] == ["abandoned", "done"]


@pytest.mark.faults
def test_a_target_that_vanishes_before_the_last_chunk_is_not_made_anew_by_it(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    folder = bench.home / "warehouse" / "bronze" / bench.schema / "items"
    bench.observer = Interfering(Moment.CHUNKED, lambda: shutil.rmtree(folder), 4)
    assert "vanished" in bench.fail(row).message
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("published", [3, pytest.param(5, marks=pytest.mark.faults)])
def test_a_target_that_another_load_of_the_row_replaced_meanwhile_begins_anew(
    bench: Bench, published: int
) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    # With the fifth chunk all is there, and nobody was told.
    break_off(bench, row, Moment.PUBLISHED, published)
    bench.set(row, load_strategy="full", query="SELECT * FROM items WHERE id > 300")
    break_off(bench, row, Moment.PUBLISHED)
    assert bench.target_rows().total() == 5
    bench.set(row, load_strategy="chunked_backfill", query=None)
    assert "not as its unfinished backfill left it" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert [plan.status for plan in plans(bench)] == ["abandoned", "done"]


@pytest.mark.faults
def test_a_staged_backfill_s_end_that_was_replaced_is_no_end(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED | {"load_strategy": "full"})
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.PUBLISHED)
    bench.set(row, load_strategy="rolling", rolling_column="at", rolling_days=1, empty_source_policy="allow")
    break_off(bench, row, Moment.PUBLISHED)
    assert bench.target_rows().total() == 0
    bench.set(row, load_strategy="chunked_backfill", rolling_column=None, rolling_days=None)
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_scan_for_deleted_rows_does_not_make_the_end_another_load_s(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED, delete_policy="scan", delete_cron="0 3 1 1 *")
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("DELETE FROM items WHERE id = 1")
    for moment in (Breaking(Moment.PUBLISHED, 4), LogObserver()):
        bench.set(row, next_delete_scan=datetime(2020, 1, 1, tzinfo=UTC))
        bench.observer = moment
        result = bench.load(row)
    assert "last commit was there already" in result.message
    assert bench.target_rows() == bench.source_rows()
    assert [plan.status for plan in plans(bench)] == ["done"]


def test_a_half_filled_target_is_not_taken_for_a_watermark_s(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED, incremental_value="2025-03-01 00:00:00+00")
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.set(row, load_strategy="incremental")
    result = bench.succeed(row)
    assert "unfinished backfill" in result.message
    assert bench.target_rows() == bench.source_rows()
    assert [plan.status for plan in plans(bench)] == ["abandoned"]


@pytest.mark.parametrize("policy", ["include", pytest.param("exclude", marks=pytest.mark.faults), "fail"])
def test_a_source_without_rows_makes_an_empty_table(bench: Bench, policy: str) -> None:
    make(bench, each=0)
    row = bench.row(**CHUNKED, null_cursor_policy=policy)
    bench.succeed(row)
    assert bench.target_rows().total() == 0
    assert bench.state(row).load_strategy == "incremental"


def test_a_column_that_goes_before_a_backfill_goes_on_stays_and_is_said_to(bench: Bench) -> None:
    make(bench, months=3)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED)
    bench.source.execute("ALTER TABLE items DROP name")
    result = bench.succeed(row)
    assert "Gone at the source, and NULL in new rows: name." in result.message
    assert "dropped" not in result.message
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert result.receipt.columns == found.columns
    assert "name" in found.columns


def test_a_row_that_came_without_a_cursor_since_the_backfill_began_is_refused(bench: Bench) -> None:
    make(bench, months=3)
    row = bench.row(**CHUNKED, null_cursor_policy="fail")
    break_off(bench, row, Moment.CHUNKED)
    bench.source.execute("INSERT INTO items VALUES (9001, 'no cursor', NULL)")
    assert "null_cursor_policy: Column 'at'" in bench.fail(row).message
    bench.source.execute("UPDATE items SET at = '2025-01-01 00:10:00+00' WHERE at IS NULL")
    assert "Went on with chunk 2 of 3." in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_an_empty_source_does_not_empty_a_filled_target(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items")
    bench.set(row, load_strategy="chunked_backfill")
    assert "empty_source_policy" in bench.fail(row).message
    assert bench.target_rows().total() == 20
    bench.set(row, empty_source_policy="allow")
    bench.succeed(row)
    assert bench.target_rows().total() == 0


def test_a_source_that_was_emptied_meanwhile_replaces_nothing(bench: Bench) -> None:
    make(bench)
    bench.source.execute("CREATE TABLE kept AS SELECT * FROM items")
    row = bench.row(**CHUNKED | {"load_strategy": "full"})
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.CHUNKED, 3)
    bench.source.execute("DELETE FROM items")
    assert "empty_source_policy" in bench.fail(row).message
    assert bench.target_rows().total() == 20
    # Nor does what the empty source had to say stay on record.
    bench.source.execute("INSERT INTO items SELECT * FROM kept")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_an_end_that_was_there_already_gives_no_person_s_word(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.PUBLISHED, 5)
    # So that the repair moves no watermark: the strategy itself does.
    bench.set(row, incremental_value="2020-01-01 00:00:00+00")
    assert "last commit was there already" in bench.succeed(row).message
    assert bench.state(row).watermark_of is not None


def test_load_full_asked_for_between_two_attempts_begins_anew(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("UPDATE items SET name = 'new' WHERE id < 100")
    bench.set(row, load_full="true")
    bench.observer = Breaking(Moment.CHUNKED, 2)
    assert any("load_full was set" in note for note in bench.fail(row).receipt.notes)
    assert bench.state(row).load_full == "true"
    # What began with it goes on with it.
    assert "Went on with chunk 3" in bench.succeed(row).message
    assert bench.state(row).load_full is None
    assert bench.target_rows() == bench.source_rows()
    assert [plan.status for plan in plans(bench)] == ["abandoned", "done"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("ADD v integer DEFAULT 7", "ALTER v TYPE text", id="another type"),
        pytest.param("ALTER id TYPE char(5)", "ALTER id TYPE char(7)", id="a key of other texts"),
        pytest.param("SET (fillfactor = 90)", "ADD v integer DEFAULT 7", id="a new column"),
        pytest.param("SET (fillfactor = 90)", "RENAME name TO title", id="another name"),
    ],
)
def test_what_the_chunks_before_cannot_take_begins_anew(bench: Bench, before: str, after: str) -> None:
    make(bench)
    bench.source.execute(f"ALTER TABLE items {before}")
    row = bench.row(**CHUNKED)
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute(f"ALTER TABLE items {after}")
    assert "begins anew" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_chunk_that_is_read_again_puts_no_row_over_one_without_a_cursor(bench: Bench) -> None:
    make(bench)
    bench.source.execute("ALTER TABLE items DROP CONSTRAINT IF EXISTS items_pkey")
    row = bench.row(**CHUNKED)
    bench.succeed(row)
    bench.set(row, load_strategy="chunked_backfill")
    bench.source.execute("INSERT INTO items VALUES (9001, 'no time', NULL)")
    break_off(bench, row, Moment.CHUNKED, 5)
    bench.source.execute(
        "INSERT INTO items VALUES (9001, 'dated', '2025-01-02'), (9002, 'more', '2025-01-02')"
    )
    begun = break_off(bench, row, Moment.CHUNKED, 1)
    assert any("these were read again: 1, 5." in note for note in begun.receipt.notes)
    assert "these were read again: 5." in bench.succeed(row).message
    assert {found[1] for found in bench.target_rows() if found[0] == 9001} == {"no time"}


@pytest.mark.parametrize("mode", ["direct", "staged"])
def test_a_row_that_comes_to_a_chunk_that_is_done_is_loaded(bench: Bench, mode: str) -> None:
    make(bench)
    bench.source.execute("INSERT INTO items VALUES (9001, 'late', NULL), (9002, 'never', NULL)")
    # Of chunks that lose rows nothing is lacking.
    bench.source.execute("INSERT INTO items SELECT 700 + i, 'old', '2025-02-02' FROM generate_series(1, 3) i")
    row = bench.row(**CHUNKED, null_cursor_policy="exclude")
    if mode == "staged":
        bench.succeed(row)
        bench.set(row, load_strategy="chunked_backfill")
    break_off(bench, row, Moment.CHUNKED, 3)
    bench.source.execute("UPDATE items SET at = '2025-01-01 12:00' WHERE id = 9001")
    bench.source.execute("DELETE FROM items WHERE id > 700 AND id < 800")
    bench.source.execute("INSERT INTO items VALUES (100, 'before all', '2024-12-01')")
    result = bench.succeed(row)
    assert "these were read again: 1." in result.message
    assert "Went on with chunk 4 of 4" in result.message
    assert plans(bench)[-1].status == "done"
    held = {found for found in bench.target_rows() if not 700 < found[0] < 800}
    assert held == set(bench.source_rows("SELECT * FROM items WHERE at IS NOT NULL"))
    assert chunks(bench, plans(bench)[-1].id)[0].rows_read == 7


def test_a_new_column_that_is_ignored_begins_nothing_anew(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED, schema_policy="ignore")
    break_off(bench, row, Moment.CHUNKED, 2)
    bench.source.execute("ALTER TABLE items ADD v integer DEFAULT 7")
    assert "Went on with chunk 3" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows("SELECT id, name, at FROM items")


def test_progress_is_seen_while_it_runs_and_a_cancel_stops_it_between_chunks(bench: Bench) -> None:
    make(bench)
    row = bench.row(**CHUNKED)
    seen: list[int | None] = []

    class Cancelling:
        def reached(self, config: LoadConfig, moment: Moment) -> None:
            if moment is not Moment.CHUNKED:
                return
            seen.append(bench.history(row)[-1].rows_read)
            if len(seen) == 2:
                with bench.control.begin() as connection:
                    connection.execute(text("SET LOCAL dataloader.repair = 'on'"))
                    connection.execute(text("UPDATE control.table_control SET last_status = 'Failed'"))

    bench.observer = Cancelling()
    assert bench.load(row).status is None
    assert seen == [5, 10]
    assert len(bench.target_rows()) <= 15


@pytest.mark.faults
def test_of_a_key_in_several_chunks_the_newest_stays(bench: Bench) -> None:
    make(bench)
    bench.source.execute("ALTER TABLE items DROP CONSTRAINT items_pkey")
    bench.source.execute("UPDATE items SET id = 7 WHERE id % 100 = 1")
    row = bench.row(**CHUNKED)
    bench.succeed(row)
    bench.succeed(bench.row(**CHUNKED | {"load_strategy": "incremental", "destination_table_name": "other"}))
    assert bench.target_rows() == bench.target_rows("other")
