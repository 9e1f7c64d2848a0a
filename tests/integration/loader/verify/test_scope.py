"""Of each strategy's target exactly that is compared which a load has promised."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_dataloader.loader.verify.rows import verify_rows
from airflow_dataloader.loader.verify.verified import Verified, lines
from tests.bench import Bench

CURSOR = {"incremental_column": "at"}


def verify(bench: Bench, config_id: int) -> Verified:
    (verified,) = verify_rows(bench.context, [config_id])
    return verified


def said(verified: Verified) -> list[str]:
    return [line for line in lines(verified) if line.startswith("  ")]


def test_what_lies_beyond_the_watermark_is_counted_and_no_difference(bench: Bench) -> None:
    bench.source.execute("""
        CREATE TABLE items AS SELECT n AS id, n AS at, 1 AS v FROM generate_series(1, 100) AS n;
        INSERT INTO items VALUES (1, 50, 2), (NULL, 3, 3), (200, NULL, 4);
    """)
    row = bench.row(load_strategy="incremental", primary_key_cols="id", **CURSOR)
    bench.succeed(row)
    verified = verify(bench, row)
    assert (verified.outcome, verified.later_rows, verified.target_rows) == ("equal", 0, 101)
    # New rows, a changed one, and one more of a key that the target has.
    bench.source.execute("""
        INSERT INTO items SELECT n, n, 1 FROM generate_series(101, 110) AS n;
        UPDATE items SET v = 9, at = 120 WHERE id = 7;
        INSERT INTO items VALUES (8, 121, 9);
    """)
    verified = verify(bench, row)
    assert (verified.outcome, verified.later_rows) == ("equal", 12)
    bench.source.execute("UPDATE items SET v = 9 WHERE id = 50; DELETE FROM items WHERE id = 60")
    verified = verify(bench, row)
    assert (verified.outcome, verified.later_rows) == ("different", 12)
    assert said(verified) == ["  id = 50: different in v", "  id = 60: only at the target"]


def test_a_row_that_has_lost_its_cursor_is_compared_on_neither_side(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT n AS id, n AS at, 1 AS v FROM generate_series(1, 9) n")
    row = bench.row(
        load_strategy="incremental", primary_key_cols="id", null_cursor_policy="exclude", **CURSOR
    )
    bench.succeed(row)
    bench.source.execute("UPDATE items SET at = NULL WHERE id = 1")
    bench.succeed(row)
    verified = verify(bench, row)
    assert (verified.outcome, verified.source_rows, verified.later_rows) == ("equal", 8, 1)


def test_rows_without_key_are_compared_up_to_the_watermark(bench: Bench) -> None:
    bench.source.execute("""
        CREATE TABLE items AS
        SELECT timestamptz '2026-01-01 00:00+00' + n * interval '1 hour' AS at, 'a' AS v
        FROM generate_series(1, 100) AS n;
        INSERT INTO items VALUES (NULL, 'b');
    """)
    row = bench.row(load_strategy="append_only", lookback="0 minutes", **CURSOR)
    bench.succeed(row)
    bench.source.execute("INSERT INTO items VALUES ('2026-02-01 00:00+00', 'c')")
    verified = verify(bench, row)
    assert (verified.outcome, verified.target_rows, verified.later_rows) == ("equal", 101, 1)
    bench.source.execute("INSERT INTO items SELECT * FROM items WHERE at = '2026-01-01 05:00+00'")
    assert ": 2 times at the source, 1 times at the target" in said(verify(bench, row))[0]


def test_of_a_rolling_target_the_window_is_compared(bench: Bench) -> None:
    bench.source.execute("""
        CREATE TABLE items AS
        SELECT n AS id, (now() AT TIME ZONE 'UTC')::date - n AS day, 1 AS v FROM generate_series(0, 20) AS n;
        INSERT INTO items VALUES (99, NULL, 1);
    """)
    row = bench.row(
        load_strategy="rolling",
        rolling_column="day",
        rolling_days=20,
        rolling_retention="keep",
        primary_key_cols="id",
    )
    bench.succeed(row)
    bench.set(row, rolling_days=5)
    # Beyond the window nothing is looked at.
    bench.source.execute("UPDATE items SET v = 2 WHERE id IN (3, 15, 99)")
    verified = verify(bench, row)
    assert (verified.source_rows, verified.target_rows) == (5, 5)
    assert said(verified) == ["  id = 3: different in v"]


def test_rows_that_a_target_marks_as_gone_are_left_out(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT n AS id FROM generate_series(1, 5) AS n")
    row = bench.row(primary_key_cols="id")
    bench.succeed(row)
    # As a target with the marks would hold it: the row that is gone at the source, with a time.
    now = datetime.now(UTC).isoformat(" ")
    bench.source.execute(f"""
        CREATE TABLE marked AS
        SELECT id, CASE id WHEN 5 THEN timestamptz '{now}' END AS _adl_deleted_at, 7 AS _adl_load_id
        FROM items;
    """)
    bench.set(row, query="SELECT * FROM marked")
    bench.succeed(row)
    bench.set(row, query="SELECT id FROM marked WHERE id < 5")
    verified = verify(bench, row)
    assert (verified.outcome, verified.target_rows, list(lines(verified))) == ("equal", 4, [])


@pytest.mark.parametrize(
    ("kind", "value", "beyond"),
    [
        ("date", "2026-01-01", "2026-01-02"),
        ("timestamp", "2026-01-01 00:00:00.000001", "2026-01-01 00:00:00.000002"),
        ("numeric(20,3)", "1.500", "1.501"),
        pytest.param("numeric", "-1.5", "0", marks=pytest.mark.faults),
        ("text", "a'\\", "b"),
        # Blanks at the end of a text count; those that a char(n) is filled up with do not.
        ("text", "a", "a "),
        pytest.param("char(5)", "ab", "ab!", marks=pytest.mark.faults),
        ("int8", "9223372036854775806", "9223372036854775807"),
    ],
)
def test_watermarks_of_every_type_bound_both_sides(bench: Bench, kind: str, value: str, beyond: str) -> None:
    bench.source.execute(f"CREATE TABLE items (at {kind}, v int)")
    insert = f"INSERT INTO items VALUES (%s::text::{kind}, 1)"
    bench.source.execute(insert, (value,))
    row = bench.row(load_strategy="append_only", lookback="0", **CURSOR)
    bench.succeed(row)
    bench.source.execute(insert, (beyond,))
    # What the next load has committed and could not settle: the control row still says the old watermark.
    before = bench.state(row).incremental_value
    bench.succeed(row)
    bench.set(row, incremental_value=before)
    verified = verify(bench, row)
    assert (verified.outcome, verified.source_rows, verified.target_rows, verified.later_rows) == (
        "equal",
        1,
        1,
        1,
    )


def test_a_watermark_that_is_no_value_and_a_backfill_to_come_are_not_comparable(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items AS SELECT 1 AS id, 1 AS at")
    row = bench.row(load_strategy="incremental", primary_key_cols="id", **CURSOR)
    bench.succeed(row)
    bench.set(row, incremental_value="soon")
    assert "incremental_value 'soon' is not a" in (verify(bench, row).reason or "")
    bench.set(row, incremental_value=None, load_strategy="chunked_backfill")
    assert "The backfill of" in (verify(bench, row).reason or "")
