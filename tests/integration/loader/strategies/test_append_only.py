"""``append_only``: what the target lacks is added, once."""

from __future__ import annotations

import pytest

from tests.bench import Bench

EVENTS = "CREATE TABLE items (id integer, name text, at timestamptz)"


def append_only(bench: Bench, **overrides: object) -> int:
    return bench.row(**({"load_strategy": "append_only", "incremental_column": "at"} | overrides))


def add(bench: Bench, number: int, name: str, when: str | None) -> None:
    bench.source.execute("INSERT INTO items VALUES (%s, %s, %s)", (number, name, when))


@pytest.mark.parametrize("key", [None, "id"])
def test_new_and_late_rows_arrive_once(bench: Bench, key: str | None) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    add(bench, 2, "without a cursor", None)
    row = append_only(bench, primary_key_cols=key)
    assert bench.succeed(row).receipt.rows_inserted == 2
    add(bench, 3, "committed late", "2026-01-01 09:50:00+00")
    add(bench, 4, "at the bound", "2026-01-01 10:00:00+00")
    add(bench, 5, "without one, too", None)
    second = bench.succeed(row).receipt
    assert (second.rows_read, second.rows_inserted, second.rows_present) == (5, 3, 2)
    assert bench.target_rows() == bench.source_rows()
    third = bench.succeed(row).receipt
    assert (third.rows_inserted, third.rows_present) == (0, 5)
    assert bench.target_rows() == bench.source_rows()


def test_rows_that_are_equal_arrive_as_often_as_they_are_there(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    for _ in range(2):
        add(bench, 1, "twice", "2026-01-01 10:00:00+00")
    row = append_only(bench)
    bench.succeed(row)
    add(bench, 1, "twice", "2026-01-01 10:00:00+00")
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_inserted, receipt.rows_present, receipt.duplicate_keys) == (1, 2, None)
    assert bench.target_rows() == bench.source_rows()


def test_by_key_one_row_is_added_and_never_changed(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = append_only(bench, primary_key_cols="id")
    bench.succeed(row)
    # A person has moved the row past its own cursor's window.
    bench.source.execute("UPDATE items SET name = 'uno', at = '2026-03-01 10:00:00+00'")
    add(bench, 2, "older", "2026-03-01 11:00:00+00")
    add(bench, 2, "newest", "2026-03-01 12:00:00+00")
    bench.source.execute("INSERT INTO items VALUES (NULL, 'no key', '2026-03-01 12:00:00+00')")
    result = bench.succeed(row)
    receipt = result.receipt
    assert (receipt.rows_inserted, receipt.rows_present, receipt.duplicate_keys, receipt.null_keys) == (
        1, 1, 1, 1)  # fmt: skip
    assert "NULL in the key" in result.message
    assert {row[:2] for row in bench.target_rows()} == {(1, "one"), (2, "newest")}


def test_a_row_is_read_from_the_beginning_and_not_doubled_where_its_target_was_edited(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    for number in range(5):
        add(bench, number, "row", "2026-01-01 10:00:00+00")
    row = append_only(bench)
    bench.succeed(row)
    bench.set(row, query="SELECT * FROM items WHERE id >= 0")
    receipt = bench.succeed(row).receipt
    assert (receipt.low, receipt.rows_present, receipt.rows_inserted) == (None, 5, 0)
    assert bench.target_rows() == bench.source_rows()


def test_load_full_replaces_the_table_once(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = append_only(bench)
    bench.succeed(row)
    bench.source.execute("UPDATE items SET name = 'uno'")
    bench.set(row, load_full="true")
    assert bench.succeed(row).receipt.rows_present is None
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).load_full is None


def test_a_new_column_is_added(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = append_only(bench)
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD colour text")
    bench.source.execute("INSERT INTO items VALUES (2, 'two', '2026-01-01 10:05:00+00', 'red')")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize(
    "moment", ["as the column comes", "later, at the bound", "later, from the beginning"]
)
def test_whole_rows_that_a_column_with_a_default_makes_others_are_not_doubled(
    bench: Bench, moment: str
) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    add(bench, 2, None, "2026-01-01 10:00:00+00")
    row = append_only(bench, lookback="0 seconds")
    bench.succeed(row)
    if moment == "as the column comes":
        bench.source.execute("ALTER TABLE items ADD points integer DEFAULT 0")
    else:
        # The target has the column before the source fills it.
        bench.source.execute("ALTER TABLE items ADD points integer")
        add_with_points(bench, 3)
        bench.succeed(row)
        bench.source.execute("UPDATE items SET points = 0")
        if moment == "later, from the beginning":
            bench.set(row, query="SELECT * FROM items WHERE id >= 0")
    before = bench.target_rows()
    failed = bench.fail(row)
    assert "points" in failed.message
    assert "load_full" in failed.message
    assert bench.target_rows() == before
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def add_with_points(bench: Bench, number: int) -> None:
    bench.source.execute("INSERT INTO items VALUES (%s, 'late', '2026-01-01 10:01:00+00', NULL)", (number,))


def test_a_row_that_differs_from_a_held_one_in_a_value_that_that_lacks_is_added(bench: Bench) -> None:
    bench.source.execute(EVENTS)
    add(bench, 1, None, "2026-01-01 10:00:00+00")
    row = append_only(bench)
    bench.succeed(row)
    for name in ("one", None):
        add(bench, 1, name, "2026-01-01 10:00:00+00")
    assert bench.succeed(row).receipt.rows_inserted == 2
    assert bench.target_rows() == bench.source_rows()


def test_whole_rows_are_not_doubled_where_a_column_writes_its_values_otherwise_by_now(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, body json, at timestamptz)")
    bench.source.execute("""INSERT INTO items VALUES (1, '{"a":1}', '2026-01-01 10:00:00+00')""")
    row = append_only(bench)
    bench.succeed(row)
    before = bench.target_rows()
    bench.source.execute("ALTER TABLE items ALTER body TYPE jsonb")
    failed = bench.fail(row)
    assert "Column body" in failed.message
    assert "is jsonb at the source, and the target holds its values as texts of json" in failed.message
    assert bench.target_rows() == before
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows("SELECT id, body::text, at FROM items")
    # So is it where the table was filled by a load that compares nothing.
    bench.source.execute("""ALTER TABLE items ALTER body TYPE json USING '{"a":1}'""")
    bench.set(row, load_strategy="full")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ALTER body TYPE jsonb")
    bench.set(row, load_strategy="append_only")
    failed = bench.load(row)
    assert bench.target_rows() == before
    assert "the target holds its values as texts of json:" in failed.message
    # A key tells them apart whatever their other columns become.
    bench.set(row, primary_key_cols="id")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ALTER body TYPE json")
    assert bench.succeed(row).receipt.rows_inserted == 0


@pytest.mark.parametrize(
    ("column", "value", "changes", "told"),
    [
        (
            "numeric(10,2)[]",
            "'{1.50}'",
            ["ALTER TABLE items ALTER mood TYPE numeric(12,4)[]"],
            "numeric with 2 decimals[]",
        ),
        (
            "mood",
            "'glad'",
            ["ALTER TYPE mood ADD VALUE 'sad'", "ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'"],
            "mood as it was defined then",
        ),
        (
            "pair[]",
            "ARRAY[ROW(1, 'glad')::pair]",
            ["ALTER TYPE mood ADD VALUE 'sad'", "ALTER TYPE pair ADD ATTRIBUTE c int"],
            "pair[] as it was defined then",
        ),
    ],
    ids=["decimals", "label", "attribute"],
)
def test_whole_rows_are_not_doubled_where_a_type_is_another_by_the_same_name(
    bench: Bench, column: str, value: str, changes: list[str], told: str
) -> None:
    bench.source.execute("CREATE TYPE mood AS ENUM ('glad'); CREATE TYPE pair AS (a int, b mood)")
    bench.source.execute(f"CREATE TABLE items (id int, at timestamptz, mood {column})")
    bench.source.execute(f"INSERT INTO items VALUES (1, '2026-01-01 10:00:00+00', {value})")
    row = append_only(bench)
    bench.succeed(row)
    before = bench.target_rows()
    for number, change in enumerate(changes, start=1):
        bench.source.execute(change)
        if number < len(changes):
            # A new value is no other text of an old one.
            assert bench.succeed(row).receipt.rows_inserted == 0
    assert f"the target holds its values as texts of {told}:" in bench.fail(row).message
    assert bench.target_rows() == before


@pytest.mark.parametrize("edited", [True, False], ids=["another cursor", "the same cursor"])
def test_whole_rows_whose_cursor_was_filled_later_are_not_added_again(bench: Bench, edited: bool) -> None:
    bench.source.execute("CREATE TABLE items (id integer, at integer, changed integer)")
    bench.source.execute("INSERT INTO items SELECT i, i, NULL FROM generate_series(1, 9) i")
    first = "at" if edited else "changed"
    row = bench.row(load_strategy="append_only", incremental_column=first, lookback="0")
    bench.succeed(row)
    bench.source.execute("UPDATE items SET changed = at")
    bench.set(row, incremental_column="changed")
    assert "without a value in column changed" in bench.fail(row).message
    assert bench.target_rows().total() == 9
