"""What a load had to say is not lost with it: its commit has it, and the next load says it."""

from __future__ import annotations

from typing import Any

from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.integration.loader.dying import die_unsettled, dying_at
from tests.integration.loader.strategies.test_rolling import make as make_days
from tests.integration.loader.strategies.test_rolling import rolling
from tests.integration.loader.test_watermark import spark_sql

NEW_COLUMN = "Rows that no load writes have NULL in extra."


def widened(bench: Bench, **overrides: Any) -> int:
    """Return a row that is loaded, and whose source has a column more since."""
    bench.source.execute("CREATE TABLE items (id integer, on_day date)")
    bench.source.execute("INSERT INTO items VALUES (1, '2026-01-01')")
    values = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "id"}
    row = bench.row(**(values | overrides))
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
    make_days(bench)
    row = rolling(bench, rolling_retention="keep")
    version = bench.succeed(row).receipt.target_version
    bench.succeed(row)
    spark_sql(bench, f"RESTORE TABLE {{}} TO VERSION AS OF {version}")
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
    with dying_at(bench, Moment.PUBLISHED):
        failed = bench.fail(row)
    version = bench.history(row)[-1].target_version
    assert f"dies Version {version} of the target stands. {NEW_COLUMN}" in failed.message
    assert bench.history(row)[-1].failure["message"].endswith("dies")
    assert NEW_COLUMN in bench.succeed(row).message


def test_one_that_fails_before_it_has_published_says_why_alone(bench: Bench) -> None:
    row = widened(bench)
    with dying_at(bench, Moment.PUBLISHING):
        assert bench.fail(row).message.endswith("dies")
    assert NEW_COLUMN in bench.succeed(row).message
