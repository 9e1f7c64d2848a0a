"""What a load had to say is not lost with it: its commit has it, and the next load says it."""

from __future__ import annotations

from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.integration.loader.breaking import break_off, die_unsettled
from tests.integration.loader.strategies.test_rolling import restored

NEW_COLUMN = "Rows that no load writes have NULL in extra."


def widened(bench: Bench) -> int:
    """Return a row that is loaded, and whose source has a column more since."""
    bench.source.execute("CREATE TABLE items (id integer, on_day date)")
    bench.source.execute("INSERT INTO items VALUES (1, '2026-01-01')")
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="id")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD extra integer DEFAULT 7")
    bench.source.execute("INSERT INTO items VALUES (2, '2026-01-02')")
    return row


def test_of_a_new_column(bench: Bench) -> None:
    row = widened(bench)
    die_unsettled(bench, row)
    assert NEW_COLUMN in bench.succeed(row).message
    died, adopting = bench.history(row)[-2:]
    assert died.adopted_by == adopting.id
    assert died.log_message.count(NEW_COLUMN) == 1
    assert NEW_COLUMN not in bench.succeed(row).message


def test_of_a_gap(bench: Bench) -> None:
    row = restored(bench)
    die_unsettled(bench, row)
    assert "rows of earlier days may be missing" in bench.succeed(row).message
    assert "may be missing" not in bench.succeed(row).message


def test_where_a_second_one_dies_too(bench: Bench) -> None:
    row = widened(bench)
    die_unsettled(bench, row)
    die_unsettled(bench, row)
    message = bench.succeed(row).message
    assert message.count(NEW_COLUMN) == 1
    assert message.count("had committed version") == 2


def test_where_the_load_that_adopts_fails(bench: Bench) -> None:
    row = widened(bench)
    die_unsettled(bench, row)
    bench.source.execute("INSERT INTO items VALUES (3, 'infinity')")
    failed = bench.fail(row)
    assert NEW_COLUMN in failed.message
    assert "Fix: " in failed.message
    assert bench.state(row).last_status_message == failed.message
    bench.source.execute("UPDATE items SET on_day = '2026-01-03' WHERE id = 3")
    assert NEW_COLUMN not in bench.succeed(row).message


def test_where_it_fails_after_it_has_published(bench: Bench) -> None:
    row = widened(bench)
    failed = break_off(bench, row, Moment.PUBLISHED)
    version = bench.history(row)[-1].target_version
    assert f"broken on purpose Version {version} of the target stands. {NEW_COLUMN}" in failed.message
    assert bench.history(row)[-1].failure["message"].endswith("broken on purpose")
    assert NEW_COLUMN in bench.succeed(row).message


def test_one_that_fails_before_it_has_published_says_why_alone(bench: Bench) -> None:
    row = widened(bench)
    assert break_off(bench, row, Moment.PUBLISHING).message.endswith("broken on purpose")
    assert NEW_COLUMN in bench.succeed(row).message
