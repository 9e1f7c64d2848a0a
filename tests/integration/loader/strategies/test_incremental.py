"""``incremental``: windows, merges and watermarks."""

from __future__ import annotations

from airflow_dataloader.loader.run import run_load
from tests.bench import Bench

ITEMS = "CREATE TABLE items (id integer, name text, updated_at timestamptz)"


def incremental(bench: Bench, **overrides: object) -> int:
    values = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "updated_at"}
    return bench.row(**(values | overrides))


def add(bench: Bench, number: int, name: str, when: str) -> None:
    bench.source.execute("INSERT INTO items VALUES (%s, %s, %s)", (number, name, when))


def test_new_changed_and_late_rows_arrive_once(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    add(bench, 2, "two", "2026-01-01 11:00:00.123456+00")
    row = incremental(bench)
    bench.succeed(row)
    assert bench.state(row).incremental_value == "2026-01-01 11:00:00.123456+00"
    bench.source.execute("UPDATE items SET name = 'uno', updated_at = '2026-01-01 12:00:00+00' WHERE id = 1")
    add(bench, 3, "committed late", "2026-01-01 10:50:00+00")
    add(bench, 4, "at the bound", "2026-01-01 11:00:00.123456+00")
    second = bench.succeed(row)
    assert (second.receipt.rows_inserted, second.receipt.rows_updated) == (2, 1)
    assert bench.target_rows() == bench.source_rows()
    third = bench.succeed(row)
    assert (third.receipt.rows_inserted, third.receipt.rows_updated) == (0, 0)
    assert bench.target_rows() == bench.source_rows()


def test_nothing_new_keeps_the_watermark_and_makes_no_commit(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = incremental(bench, lookback="0 seconds")
    version = bench.succeed(row).receipt.target_version
    bench.source.execute("DELETE FROM items")
    again = bench.succeed(row)
    assert again.receipt.rows_read == 0
    assert bench.state(row).incremental_value == "2026-01-01 10:00:00+00"
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert found.version == version


def test_a_key_that_is_written_anew_is_the_same_row(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id numeric PRIMARY KEY, name text, updated_at timestamptz)")
    bench.source.execute(
        "INSERT INTO items VALUES (1.50, 'old', '2026-01-01'), (1e40, 'large', '2026-01-01')"
    )
    row = incremental(bench, value_policy="string")
    bench.succeed(row)
    bench.source.execute("UPDATE items SET id = 1.5, name = 'new', updated_at = '2026-01-02' WHERE id = 1.5")
    assert bench.succeed(row).receipt.rows_updated == 1
    assert {row[:2] for row in bench.target_rows().elements()} == {("1.5", "new"), ("1" + "0" * 40, "large")}
    assert bench.target_rows().total() == 2


def test_a_key_that_a_full_load_in_between_has_repeated_is_not_merged_into(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "a", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    bench.succeed(row)
    add(bench, 1, "b", "2026-01-01 11:00:00+00")
    bench.set(row, load_strategy="full")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental")
    assert "holds several rows of one key (id = '1')" in bench.fail(row).message
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert [held[:2] for held in bench.target_rows().elements()] == [(1, "b")]
    bench.succeed(row)


def test_a_target_with_repeated_keys_is_not_merged_into(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "a", "2026-01-01 10:00:00+00")
    add(bench, 1, "b", "2026-01-01 11:00:00+00")
    row = bench.row(load_strategy="full")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental", primary_key_cols="id", incremental_column="updated_at")
    before = bench.target_rows()
    refused = bench.fail(row)
    assert "holds several rows of one key (id = '1')" in refused.message
    assert "load_full" in refused.message
    assert bench.target_rows() == before
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert [held[:2] for held in bench.target_rows().elements()] == [(1, "b")]
    add(bench, 1, "c", "2026-01-01 12:00:00+00")
    bench.succeed(row)
    assert [held[:2] for held in bench.target_rows().elements()] == [(1, "c")]


def test_the_newest_of_duplicate_keys_wins_and_is_counted(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "old", "2026-01-01 10:00:00+00")
    add(bench, 1, "new", "2026-01-01 11:00:00+00")
    bench.source.execute("INSERT INTO items VALUES (NULL, 'no key', '2026-01-01 11:00:00+00')")
    # A key that names a column twice is the key that names it once.
    result = bench.succeed(incremental(bench, primary_key_cols="id, ID"))
    assert (result.receipt.duplicate_keys, result.receipt.null_keys) == (1, 1)
    assert result.receipt.duplicate_sample == ({"id": "1"},)
    assert result.receipt.null_key_sample == ({"id": None, "updated_at": "2026-01-01 11:00:00"},)
    assert "1 rows with NULL in the key were left out (the first: id NULL, updated_at '2026" in result.message
    assert [row[:2] for row in bench.target_rows()] == [(1, "new")]


def test_rows_without_a_cursor_follow_the_policy(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    bench.source.execute("INSERT INTO items VALUES (2, 'never changed', NULL)")
    row = incremental(bench)
    assert bench.succeed(row).receipt.null_cursors == 1
    assert bench.target_rows() == bench.source_rows()
    bench.set(row, null_cursor_policy="fail")
    assert "NULL" in bench.fail(row).message
    other = incremental(bench, destination_table_name="without", null_cursor_policy="exclude")
    bench.succeed(other)
    assert [row[0] for row in bench.target_rows("without")] == [1]


def test_load_full_replaces_the_table_once(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    for number in range(5):
        add(bench, number, "row", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE id < 3")
    bench.succeed(row)
    assert bench.target_rows().total() == 5
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).load_full in (None, "false")


def test_load_full_does_not_empty_a_table_because_the_keys_are_gone(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    bench.succeed(row)
    bench.source.execute("UPDATE items SET id = NULL")
    bench.set(row, load_full="true")
    assert "key" in bench.fail(row).message
    assert bench.target_rows().total() == 1
    bench.set(row, empty_source_policy="allow")
    bench.succeed(row)
    assert bench.target_rows().total() == 0


def test_a_target_that_is_gone_is_read_from_the_beginning(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "long ago", "2020-01-01 10:00:00+00")
    add(bench, 2, "lately", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    bench.succeed(row)
    bench.set(row, destination_table_name="elsewhere")
    bench.succeed(row)
    assert bench.target_rows("elsewhere") == bench.source_rows()


def test_integer_cursors_have_no_lookback_unless_told(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id bigint PRIMARY KEY, name text)")
    bench.source.execute("INSERT INTO items SELECT i, 'n' || i FROM generate_series(1, 100) i")
    row = incremental(bench, incremental_column="id")
    bench.succeed(row)
    assert bench.state(row).incremental_value == "100"
    bench.source.execute("INSERT INTO items VALUES (101, 'next')")
    assert bench.succeed(row).receipt.rows_read == 2
    bench.set(row, lookback="10")
    assert bench.succeed(row).receipt.rows_read == 11
    assert bench.target_rows() == bench.source_rows()


def test_a_new_column_is_added_and_a_gone_one_stays(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ADD colour text")
    bench.source.execute("INSERT INTO items VALUES (2, 'two', '2026-01-01 10:05:00+00', 'red')")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    bench.source.execute("ALTER TABLE items DROP name")
    bench.source.execute("INSERT INTO items VALUES (3, '2026-01-01 10:06:00+00', 'blue')")
    bench.succeed(row)
    names = {row[0]: row[1] for row in bench.target_rows()}
    assert names == {1: "one", 2: "two", 3: None}


def test_a_person_s_edit_during_the_load_wins(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    add(bench, 1, "one", "2026-01-01 10:00:00+00")
    row = incremental(bench)
    ids = bench.claim(row)
    bench.set(row, incremental_value="1999-01-01 00:00:00+00")
    result = run_load(bench.context, ids)
    assert bench.state(row).incremental_value == "1999-01-01 00:00:00+00"
    assert "incremental_value" in result.message
