"""A watermark counts only for what it was reached with: source, cursor, key, target, and what that held."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import text, update

from airflow_dataloader.control.tables import dbconfig
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import run_load
from tests.bench import Bench
from tests.integration.loader.breaking import break_off, die_unsettled

if TYPE_CHECKING:
    from tests.conftest import Server

FIRST, LATER = "2026-01-01 10:00:00+00", "2026-01-01 12:00:00+00"


@pytest.fixture
def row(bench: Bench) -> int:
    bench.source.execute(
        "CREATE TABLE items (id integer, name text, updated_at timestamptz, other_at timestamptz)"
    )
    bench.source.execute(
        "INSERT INTO items SELECT i, 'row ' || i, '2026-01-01 10:00:00+00', '2026-01-01 09:00:00+00' "
        "FROM generate_series(1, 5) AS i"
    )
    return bench.row(
        load_strategy="incremental",
        primary_key_cols="id",
        incremental_column="updated_at",
        lookback="0 seconds",
    )


def change_one(bench: Bench) -> None:
    bench.source.execute(f"UPDATE items SET name = 'changed', updated_at = '{LATER}' WHERE id = 1")


def test_a_target_that_was_left_and_came_back_is_read_from_the_beginning(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.set(row, destination_table_name="elsewhere")
    change_one(bench)
    assert bench.succeed(row).receipt.low is None
    assert bench.target_rows("elsewhere") == bench.source_rows()
    bench.set(row, destination_table_name="items")
    back = bench.succeed(row)
    assert back.receipt.rows_updated == 1
    assert "everything was read again" in back.message
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.rows_read == 1, "from now on it is the watermark of this target"


@pytest.mark.parametrize(
    "edit",
    [
        {"incremental_column": "other_at"},
        {"primary_key_cols": "id,name"},
        {"query": "SELECT * FROM items WHERE id > 0"},
        {"source_table_name": "copied"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_another_cursor_key_query_or_table_begins_anew(bench: Bench, row: int, edit: dict[str, Any]) -> None:
    bench.succeed(row)
    bench.source.execute("CREATE TABLE copied AS SELECT * FROM items")
    # Below every watermark so far.
    bench.source.execute("INSERT INTO items VALUES (6, 'six', '2020-01-01', '2020-01-01')")
    bench.source.execute("INSERT INTO copied VALUES (6, 'six', '2020-01-01', '2020-01-01')")
    bench.set(row, **edit)
    assert bench.succeed(row).receipt.rows_read == 6
    assert bench.target_rows() == bench.source_rows()


def test_rows_that_were_hidden_from_the_login_come_when_they_are_shown(bench: Bench, row: int) -> None:
    """They lie below the watermark by then."""
    role = f"reader_{bench.schema}"
    bench.source.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON items TO {role}")
    bench.source.execute(
        "ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON items USING (id > 3)"
    )
    bench.server = cast("Server", SimpleNamespace(port=bench.server.port, user=role, password="x"))
    options = update(dbconfig).values(connection_options={"row_security": "on"})
    with bench.control.begin() as connection:
        connection.execute(options)
    try:
        assert bench.succeed(row).receipt.rows_read == 2
        bench.source.execute(f"ALTER ROLE {role} BYPASSRLS")
        with bench.control.begin() as connection:
            connection.execute(options.values(connection_options={}))
        assert "everything was read again" in bench.succeed(row).message
        assert bench.target_rows() == bench.source_rows()
    finally:
        bench.source.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_destination_edited_during_the_load_gets_no_watermark_of_the_other(bench: Bench, row: int) -> None:
    ids = bench.claim(row)
    bench.set(row, destination_table_name="elsewhere")
    run_load(bench.context, ids)
    assert bench.state(row).incremental_value is not None
    assert bench.succeed(row).receipt.low is None
    assert bench.target_rows("elsewhere") == bench.source_rows()


def test_a_watermark_that_a_person_set_is_taken_at_its_word(bench: Bench, row: int) -> None:
    bench.succeed(row)
    change_one(bench)
    bench.set(row, incremental_value="2026-01-01 11:00:00+00", query="SELECT * FROM items")
    assert bench.succeed(row).receipt.rows_read == 1


def test_a_restored_target_is_read_from_the_beginning(bench: Bench, row: int) -> None:
    version = bench.succeed(row).receipt.target_version
    change_one(bench)
    bench.succeed(row)
    bench.spark_sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {version}")
    assert bench.succeed(row).receipt.rows_updated == 1
    assert bench.target_rows() == bench.source_rows()


def test_a_target_that_others_made_anew_is_read_from_the_beginning(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.spark_sql("CREATE OR REPLACE TABLE {t} USING delta AS SELECT * FROM {t} WHERE id = 1")
    assert bench.succeed(row).receipt.rows_inserted == 4
    assert bench.target_rows() == bench.source_rows()


def test_people_s_own_changes_of_rows_and_maintenance_keep_the_watermark(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.spark_sql("UPDATE {t} SET name = 'by hand' WHERE id = 2")
    bench.spark_sql("OPTIMIZE {t}")
    bench.spark_sql("ALTER TABLE {t} SET TBLPROPERTIES ('a' = 'b')")
    change_one(bench)
    assert bench.succeed(row).receipt.low == FIRST


def test_a_target_that_another_row_has_loaded_since_is_read_from_the_beginning(
    bench: Bench, row: int
) -> None:
    bench.succeed(row)
    bench.set(row, is_active=False)
    bench.source.execute("CREATE TABLE fewer AS SELECT * FROM items WHERE id < 3")
    other = bench.row("fewer", destination_table_name="items")
    bench.succeed(other)
    bench.set(other, is_active=False)
    bench.set(row, is_active=True)
    assert bench.succeed(row).receipt.rows_inserted == 3
    assert bench.target_rows() == bench.source_rows()


def test_a_full_load_of_something_else_ends_the_watermark(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.set(row, load_strategy="full", query="SELECT * FROM items WHERE id = 5")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental", query=None)
    assert "everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_full_load_of_the_same_keeps_it(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.set(row, load_strategy="full")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental")
    assert bench.succeed(row).receipt.low == FIRST


def test_a_full_load_of_a_source_that_began_anew_sets_the_watermark_back(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET updated_at = '2025-01-01 10:00:00+00'")
    bench.set(row, load_strategy="full")
    assert f"below the watermark {FIRST}; the watermark goes back to it" in bench.succeed(row).message
    bench.set(row, load_strategy="incremental")
    # By now the source has grown beyond the old watermark again.
    bench.source.execute(
        "INSERT INTO items VALUES (6, 'below it', '2025-01-01 11:00:00+00'), (7, 'above', %s)", (LATER,)
    )
    assert bench.succeed(row).receipt.low == "2025-01-01 10:00:00+00"
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == LATER


@pytest.mark.parametrize(
    ("change", "later"),
    [
        ("ALTER updated_at TYPE timestamptz USING NULL", f"'2025-01-01 10:00:00+00', '{LATER}'"),
        # The watermark is no value of such a cursor, which is nothing to a full load.
        ("ALTER updated_at TYPE integer USING 5", "4, 6"),
    ],
    ids=["none", "another-type"],
)
def test_a_full_load_that_sees_no_such_cursor_ends_the_watermark(
    bench: Bench, row: int, change: str, later: str
) -> None:
    bench.succeed(row)
    bench.source.execute(f"ALTER TABLE items {change}")
    bench.set(row, load_strategy="full")
    bench.succeed(row)
    bench.set(row, load_strategy="incremental")
    low, high = later.split(", ")
    bench.source.execute(f"UPDATE items SET name = 'again', updated_at = {low}")
    bench.source.execute(f"INSERT INTO items VALUES (6, 'new', {high})")
    assert "everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == high.strip("'")


def test_a_table_that_was_replaced_by_a_load_that_failed_is_read_from_the_beginning(
    bench: Bench, row: int
) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET updated_at = '2025-01-01 10:00:00+00'")
    bench.set(row, load_full="true")
    break_off(bench, row, Moment.PUBLISHED)
    # What was committed says nothing for a row that was edited since, and nobody asks for all of it again.
    bench.set(row, load_full=None, lookback="1 second")
    bench.source.execute("INSERT INTO items VALUES (6, 'new', '2025-01-01 11:00:00+00')")
    assert "up to another watermark than the row's; everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == "2025-01-01 11:00:00+00"


def test_a_full_load_that_failed_after_it_had_published_is_nothing_to_go_on_from(
    bench: Bench, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.succeed(row)
    bench.set(row, load_strategy="full", shrink_guard_percent=90)
    read = bench.engine.read
    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "read", lambda plan: read(replace(plan, where="id <> 2")))
        failed = bench.fail(row)
    assert " arrived from the same snapshot" in failed.message
    assert failed.receipt.target_version is not None
    bench.set(row, load_strategy="incremental")
    assert "failed, and may not have read all; everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == FIRST


@pytest.mark.parametrize("adopted_before", [True, False])
def test_a_full_load_that_was_broken_off_before_it_compared_is_nothing_to_go_on_from(
    bench: Bench, row: int, monkeypatch: pytest.MonkeyPatch, *, adopted_before: bool
) -> None:
    bench.succeed(row)
    change_one(bench)
    bench.succeed(row)
    bench.set(row, load_strategy="full")
    read = bench.engine.read
    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "read", lambda plan: read(replace(plan, where="id <> 2")))
        die_unsettled(bench, row)
    bench.set(row, load_strategy="incremental")
    if adopted_before:
        break_off(bench, row, Moment.PLANNED)
    assert "failed, and may not have read all; everything was read again" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == LATER


@pytest.mark.parametrize(
    "strategy", ["incremental", pytest.param("chunked_backfill", marks=pytest.mark.faults)]
)
def test_a_load_that_sees_no_cursor_ends_the_watermark(bench: Bench, row: int, strategy: str) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET updated_at = NULL")
    bench.set(row, load_full="true", load_strategy=strategy)
    bench.succeed(row)
    # Filled again, with values that are older than the watermark.
    bench.source.execute("UPDATE items SET name = 'again', updated_at = '2025-01-01 10:00:00+00'")
    assert "No row had a cursor" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    assert bench.succeed(row).receipt.low == "2025-01-01 10:00:00+00"


def test_after_rolling_everything_is_read_again(bench: Bench, row: int) -> None:
    bench.source.execute("INSERT INTO items VALUES (6, 'today', now(), now())")
    bench.succeed(row)
    bench.set(row, load_strategy="rolling", rolling_column="updated_at", rolling_days=1)
    bench.succeed(row)
    assert len(bench.target_rows()) == 1
    bench.set(row, load_strategy="incremental")
    assert "loaded as rolling" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_load_that_publishes_nothing_leaves_a_person_s_word(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.set(row, destination_table_name="renamed")
    warehouse = bench.home / "warehouse" / "bronze" / bench.schema
    (warehouse / "items").rename(warehouse / "renamed")
    bench.set(row, incremental_value="2026-01-02 00:00:00+00")
    assert bench.succeed(row).receipt.rows_read == 0
    assert bench.succeed(row).receipt.low == "2026-01-02 00:00:00+00"


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("timestamp", "now() AT TIME ZONE 'UTC'"),
        ("timestamp", "now() AT TIME ZONE 'Asia/Tokyo'"),
        ("date", "(now() AT TIME ZONE 'UTC' - interval '10 hours')::date"),
        ("timestamptz", "now() - interval '1 minute'"),
        # By a feed that lags, whose rows come in their order all the same.
        ("timestamptz", "now() - interval '3 hours'"),
    ],
)
def test_a_cursor_in_the_future_hides_nothing_that_is_written_now(
    bench: Bench, kind: str, written: str
) -> None:
    bench.source.execute(f"CREATE TABLE items (id integer, at {kind})")
    bench.source.execute("INSERT INTO items VALUES (1, '2026-01-01'), (99, '2999-01-01')")
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    bench.succeed(row)
    bench.source.execute(f"INSERT INTO items VALUES (6, {written})")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_query_that_asks_for_the_time_may_lose_rows_between_count_and_read(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, at timestamptz)")
    bench.source.execute("INSERT INTO items SELECT i, now() FROM generate_series(1, 2000) AS i")
    # Each connection's transaction begins at a time of its own.
    query = "SELECT * FROM items WHERE id <= 50 + extract(microseconds FROM now())::bigint % 1949"
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at", query=query)
    results = [bench.succeed(row) for _ in range(3)]
    assert any("selects by the time" in result.message for result in results)


def test_a_cursor_in_the_future_does_not_hide_what_comes_after(bench: Bench, row: int) -> None:
    bench.source.execute("UPDATE items SET updated_at = '2999-01-01' WHERE id = 1")
    first = bench.succeed(row)
    assert "in the future" in first.message
    assert bench.state(row).incremental_value < "2999"
    bench.source.execute("INSERT INTO items VALUES (6, 'six', clock_timestamp(), NULL)")
    assert bench.succeed(row).receipt.rows_inserted == 1
    assert bench.target_rows() == bench.source_rows()


def test_a_cursor_that_was_too_high_can_be_corrected(bench: Bench, row: int) -> None:
    bench.source.execute("UPDATE items SET updated_at = '2999-01-01', name = 'wrong' WHERE id = 1")
    bench.succeed(row)
    bench.source.execute("UPDATE items SET updated_at = clock_timestamp(), name = 'right' WHERE id = 1")
    assert bench.succeed(row).receipt.rows_updated == 1
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize(
    ("kind", "future"), [("timestamp", "localtimestamp + interval '3 hours'"), ("date", "current_date + 1")]
)
def test_a_wall_clock_that_is_ahead_hides_nothing(bench: Bench, kind: str, future: str) -> None:
    bench.source.execute("SET timezone = 'UTC'")
    bench.source.execute(f"CREATE TABLE walls (id integer PRIMARY KEY, at {kind})")
    bench.source.execute(f"INSERT INTO walls VALUES (1, {future})")
    row = bench.row("walls", load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    assert "in the future by the clock of UTC" in bench.succeed(row).message
    bench.source.execute("INSERT INTO walls VALUES (2, localtimestamp)")
    bench.succeed(row)
    assert bench.target_rows("walls") == bench.source_rows("SELECT * FROM walls")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE items RENAME TO old; CREATE TABLE items (LIKE old); INSERT INTO items TABLE old", True),
        ("CREATE OR REPLACE VIEW shown AS SELECT * FROM items WHERE id < 9", True),
        ("ALTER TABLE items ADD COLUMN more text DEFAULT 'x'; VACUUM FULL items", False),
    ],
)
def test_a_source_that_is_another_one_of_its_name_is_said_once(
    bench: Bench, row: int, change: str, *, said: bool
) -> None:
    bench.source.execute("CREATE VIEW shown AS SELECT * FROM items")
    if "VIEW" in change:
        bench.set(row, source_table_name="shown")
    bench.succeed(row)
    assert "another one of this name" not in bench.succeed(row).message
    for statement in change.split("; "):
        bench.source.execute(statement)
    change_one(bench)
    assert ("another one of this name" in bench.succeed(row).message) is said
    assert "another one of this name" not in bench.succeed(row).message


def test_a_source_whose_newest_cursor_went_back_is_remarked_on(bench: Bench, row: int) -> None:
    bench.succeed(row)
    bench.source.execute("UPDATE items SET updated_at = '2025-01-01'")
    assert "load_full" in bench.succeed(row).message


def test_values_that_were_given_up_are_read_again_where_they_may_be_kept(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, tags integer[], updated_at timestamptz)")
    bench.source.execute(f"INSERT INTO items VALUES (1, '[2:3]={{1,2}}', '{FIRST}'), (2, '{{3}}', '{LATER}')")
    row = bench.row(
        load_strategy="incremental",
        primary_key_cols="id",
        incremental_column="updated_at",
        value_policy="null",
    )
    assert bench.succeed(row).receipt.values_replaced == 1
    bench.set(row, value_policy="fail")
    assert "Column 'tags' holds [2:3]={1,2}, which the target cannot keep exactly" in bench.fail(row).message
    bench.set(row, value_policy="string")
    assert (
        "became NULL by value_policy, which is another now; everything was read" in bench.succeed(row).message
    )
    assert sorted(bench.engine.rows(bench.target(), ["id", "tags"])) == [(1, "[2:3]={1,2}"), (2, "[3]")]
    assert bench.succeed(row).receipt.low == LATER


def test_a_text_cursor_may_be_long(bench: Bench) -> None:
    long = "x" * 5000
    bench.source.execute("CREATE TABLE items (id integer, at text)")
    bench.source.execute("INSERT INTO items VALUES (1, %s)", (long,))
    row = bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="at")
    bench.succeed(row)
    assert bench.state(row).incremental_value == long
    assert bench.succeed(row).receipt.rows_read == 1


@pytest.mark.parametrize("strategy", ["incremental", "append_only"])
def test_a_text_cursor_keeps_digits_that_no_timestamp_has(bench: Bench, strategy: str) -> None:
    first, later = "2026-01-01 00:00:00.1234567", "2026-01-01 00:00:00.1234568"
    bench.source.execute("CREATE TABLE items (id integer, at text)")
    bench.source.execute("INSERT INTO items VALUES (1, %s)", (first,))
    row = bench.row(load_strategy=strategy, primary_key_cols="id", incremental_column="at")
    bench.succeed(row)
    assert bench.state(row).incremental_value == first
    bench.source.execute("INSERT INTO items VALUES (2, %s), (3, %s)", (first, later))
    receipt = bench.succeed(row).receipt
    assert (receipt.low, receipt.high, receipt.rows_read, receipt.rows_inserted) == (first, later, 3, 2)
    assert bench.state(row).incremental_value == later
    assert bench.succeed(row).receipt.rows_read == 1
    assert bench.target_rows() == bench.source_rows()


def test_who_sets_a_watermark_is_known_by_the_statement(bench: Bench, row: int) -> None:
    bench.succeed(row)
    with bench.control.begin() as connection:
        # As a page does that saves a whole row.
        connection.execute(text("UPDATE control.table_control SET incremental_value = incremental_value"))
    assert bench.state(row).watermark_of is not None
    bench.set(row, incremental_value="2026-01-01 09:00:00+00")
    assert bench.state(row).watermark_of is None


@pytest.mark.parametrize(
    "strategy", ["incremental", pytest.param("check_and_load", marks=pytest.mark.faults)]
)
@pytest.mark.parametrize("all_gone", [False, True], ids=["some cursors", "no cursor at all"])
def test_what_a_lagging_copy_turned_back_comes_again(bench: Bench, strategy: str, all_gone: bool) -> None:
    bench.source.execute(
        "CREATE TABLE items AS SELECT i AS id, i AS at, 'v1' AS v FROM generate_series(1, 5) i"
    )
    bench.source.execute("INSERT INTO items VALUES (9, NULL, 'v1')")
    row = bench.row(load_strategy=strategy, primary_key_cols="id", incremental_column="at", lookback="0")
    bench.succeed(row)
    bench.source.execute("CREATE TABLE copy AS SELECT * FROM items")
    bench.source.execute("UPDATE items SET at = 7, v = 'v2' WHERE id = 9")
    bench.source.execute("INSERT INTO items VALUES (8, 8, 'v1')")
    bench.succeed(row)
    if all_gone:
        bench.source.execute("UPDATE copy SET at = NULL")
    bench.source.execute("ALTER TABLE items RENAME TO fresh; ALTER TABLE copy RENAME TO items")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items RENAME TO copy; ALTER TABLE fresh RENAME TO items")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    assert bench.state(row).incremental_value == "8"
