"""``schema_policy`` by every strategy: what a load does when source and target have other columns."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.control import lease
from airflow_dataloader.core.strategy import REPLACES
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.integration.loader.breaking import break_off
from tests.integration.loader.strategy_rows import STRATEGIES

COLUMNS = {"id": "int", "name": "string", "at": "timestamp"}

#: Of a long story the others are played in the long run.
SAMPLE = {"incremental", "append_only", "full"}

each_strategy = pytest.mark.parametrize("strategy", list(STRATEGIES))


def begin(bench: Bench, strategy: str, **values: Any) -> int:
    """Load two rows for the first time; the table's schema files count as made afterwards."""
    bench.source.execute("CREATE TABLE items (id integer, name text, at timestamptz)")
    bench.source.execute("INSERT INTO items VALUES (1, 'one', now() - '2 h'::interval), (2, 'two', now())")
    row = bench.row(**(STRATEGIES[strategy] | values))
    bench.succeed(row)
    assert bench.found().columns == COLUMNS
    bench.set(row, staging_model_processed=True, **STRATEGIES[strategy])
    return row


@pytest.mark.parametrize(
    "strategy",
    [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.faults) for name in STRATEGIES],
)
def test_ignore_freeze_and_evolve_one_after_another(bench: Bench, strategy: str) -> None:
    row = begin(bench, strategy, schema_policy="ignore")
    # A value that no load could keep: reading it would fail the load.
    bench.source.execute("ALTER TABLE items ADD born date DEFAULT '0044-03-15 BC'")
    bench.source.execute("INSERT INTO items VALUES (3, 'three', now())")
    ignored = bench.succeed(row)
    assert bench.found().columns == COLUMNS
    assert bench.target_rows() == bench.source_rows("SELECT id, name, at FROM items")
    assert ignored.receipt.columns_ignored == ("born",)
    assert "born" in ignored.message

    bench.source.execute("ALTER TABLE items DROP born, ADD colour text, ALTER id TYPE bigint")
    bench.source.execute("INSERT INTO items VALUES (3000000000, 'more', now(), 'red')")
    bench.set(row, schema_policy="freeze", load_strategy=STRATEGIES[strategy]["load_strategy"])
    before, held = bench.found().version, bench.target_rows()
    frozen = bench.fail(row)
    assert "column colour is new (string; text)" in frozen.message
    assert "Column id is int at the target and bigint at the source (bigint)" in frozen.message
    assert "schema_policy = 'evolve'" in frozen.message
    assert frozen.receipt.rows_read is None
    assert (bench.found().version, bench.target_rows()) == (before, held)
    assert bench.state(row).staging_model_processed is True

    bench.set(row, schema_policy="evolve")
    evolved = bench.succeed(row)
    assert bench.found().columns == evolved.receipt.columns == COLUMNS | {"id": "bigint", "colour": "string"}
    assert bench.target_rows() == bench.source_rows()
    assert "colour string added, id int became bigint" in evolved.message
    replaced = STRATEGIES[strategy]["load_strategy"] in REPLACES or strategy == "rolling"
    assert ("NULL in colour" in evolved.message) is not replaced
    assert bench.state(row).staging_model_processed is False


@pytest.mark.parametrize(
    ("strategy", "policy"),
    [
        ("full", "evolve"),
        pytest.param("full", "freeze", marks=pytest.mark.faults),
        pytest.param("chunked_backfill", "freeze", marks=pytest.mark.faults),
        ("incremental", "ignore"),
        pytest.param("append_only", "evolve", marks=pytest.mark.faults),
        ("keep", "evolve"),
    ],
)
def test_a_column_that_is_gone_stays(bench: Bench, strategy: str, policy: str) -> None:
    row = begin(bench, strategy, schema_policy=policy)
    bench.source.execute("ALTER TABLE items DROP name")
    bench.source.execute("UPDATE items SET at = now() + '1 s'::interval WHERE id = 2")
    bench.source.execute("INSERT INTO items VALUES (3, now())")
    result = bench.succeed(row)
    if (strategy, policy) == ("full", "evolve"):
        assert list(bench.found().columns) == ["id", "at"]
        assert "name dropped" in result.message
        assert bench.state(row).staging_model_processed is False
        return
    assert bench.found().columns == COLUMNS
    assert (result.receipt.columns_gone, bench.state(row).staging_model_processed) == (("name",), True)
    names = sorted((held[:2] for held in bench.target_rows().elements()), key=repr)
    # A merge leaves an updated row the last value that the source had.
    merged = [(1, "one"), (2, "two"), (3, None)]
    added = [(1, "one"), (2, None), (2, "two"), (3, None)]
    replaced = [(1, None), (2, None), (3, None)]
    expected = {"incremental": merged, "append_only": added}
    assert names == sorted(expected.get(strategy, replaced), key=repr)


def test_a_type_that_cannot_follow_fails_the_load_and_load_full_takes_it(bench: Bench) -> None:
    row = begin(bench, "incremental")
    before = bench.found().version
    bench.source.execute("ALTER TABLE items ALTER id TYPE text")
    failed = bench.fail(row)
    assert "Column id is int at the target and string at the source (text)" in failed.message
    assert (failed.receipt.rows_read, bench.found().version) == (None, before)
    for policy in ("ignore", "freeze"):
        bench.set(row, schema_policy=policy, load_full="true")
        assert "set schema_policy = 'evolve'" in bench.fail(row).message
    bench.set(row, schema_policy="evolve")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_ignore_widens_as_well(bench: Bench) -> None:
    row = begin(bench, "full", schema_policy="ignore")
    bench.source.execute("ALTER TABLE items ALTER id TYPE bigint, DROP name")
    bench.source.execute("INSERT INTO items VALUES (3000000000, now())")
    bench.succeed(row)
    assert bench.found().columns == COLUMNS | {"id": "bigint"}
    assert {held[:2] for held in bench.target_rows()} == {(1, None), (2, None), (3_000_000_000, None)}


def test_what_a_failed_load_changed_is_not_forgotten(bench: Bench) -> None:
    row = begin(bench, "incremental")
    bench.source.execute("ALTER TABLE items ADD colour text")
    bench.source.execute("INSERT INTO items VALUES (3, 'three', now(), 'red')")
    break_off(bench, row, Moment.PUBLISHED)
    assert bench.found().columns == COLUMNS | {"colour": "string"}
    assert bench.state(row).staging_model_processed is True
    bench.succeed(row)
    assert bench.state(row).staging_model_processed is False


@pytest.mark.parametrize("there", [False, True])
def test_another_target_has_no_schema_files_yet(bench: Bench, *, there: bool) -> None:
    row = begin(bench, "incremental")
    if there:
        other = bench.row(**STRATEGIES["full"], destination_table_name="elsewhere")
        bench.succeed(other)
        bench.set(other, is_active=False)
    bench.succeed(row)
    assert bench.state(row).staging_model_processed is True
    bench.set(row, destination_table_name="elsewhere")
    bench.succeed(row)
    assert bench.state(row).staging_model_processed is False
    bench.set(row, staging_model_processed=True)
    bench.succeed(row)
    assert bench.state(row).staging_model_processed is True


@pytest.mark.parametrize("policy", ["freeze", pytest.param("ignore", marks=pytest.mark.faults)])
@pytest.mark.parametrize("strategy", ["incremental", "full"])
def test_a_table_that_only_a_fence_made_has_no_columns_to_keep(
    bench: Bench, strategy: str, policy: str
) -> None:
    bench.source.execute("CREATE TABLE items (id integer, name text, at timestamptz)")
    bench.source.execute("INSERT INTO items VALUES (1, 'one', now())")
    row = bench.row(**STRATEGIES[strategy], schema_policy=policy)
    give_up_unwritten(bench, row)
    assert break_off(bench, row, Moment.PLANNED).receipt.fence_version is not None
    assert bench.found().columns == COLUMNS
    bench.source.execute("ALTER TABLE items ADD colour text DEFAULT 'red'")
    bench.succeed(row)
    assert bench.found().columns == COLUMNS | {"colour": "string"}
    assert bench.target_rows() == bench.source_rows()
    # From here on they are people's.
    bench.source.execute("ALTER TABLE items ADD born date")
    bench.source.execute("DELETE FROM items")
    bench.set(row, empty_source_policy="allow")
    bench.load(row)
    assert bench.found().columns == COLUMNS | {"colour": "string"}


def test_an_empty_table_that_a_person_made_keeps_its_columns(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer, name text, at timestamptz)")
    bench.source.execute("INSERT INTO items VALUES (1, 'one', now())")
    assert isinstance(bench.engine, SparkEngine)
    folder = bench.home / "warehouse" / "bronze" / bench.schema / "items"
    bench.engine._context.spark.sql(f"CREATE TABLE delta.`{folder}` (id INT, at TIMESTAMP) USING delta")
    row = bench.row(**STRATEGIES["incremental"], schema_policy="freeze")
    assert "column name is new" in bench.fail(row).message
    give_up_unwritten(bench, row)
    assert "column name is new" in bench.fail(row).message, "a fence makes it nobody else's"


def give_up_unwritten(bench: Bench, config_id: int) -> None:
    """Claim the row for a loader that starts, and is never heard of again."""
    ids = bench.claim(config_id)
    lease.start(bench.control, ids.metadata_id, ids.epoch, nonce="lost")
    bench.pretend_lease_ended(config_id)
    bench.give_up()


def test_a_column_that_the_load_needs_cannot_be_ignored(bench: Bench) -> None:
    row = begin(bench, "incremental", schema_policy="ignore")
    bench.source.execute("ALTER TABLE items ADD code timestamptz")
    for field, values in {
        "primary_key_cols": {"primary_key_cols": "id, code"},
        "incremental_column": {"incremental_column": "code"},
        "rolling_column": {"load_strategy": "rolling", "rolling_column": "code", "rolling_days": 3},
        "partition_column": {"load_strategy": "full", "partition_column": "code"},
    }.items():
        bench.set(row, **(STRATEGIES["incremental"] | values))
        failed = bench.fail(row)
        assert f"{field} names column 'code', which the target lacks" in failed.message


def test_the_key_of_a_scan_cannot_be_ignored_either(bench: Bench) -> None:
    """A load that keeps older days needs none itself; nothing is published that its scan would then fail."""
    row = begin(bench, "keep", schema_policy="ignore")
    bench.source.execute("ALTER TABLE items ADD code integer")
    bench.set(row, primary_key_cols="code", delete_policy="scan", delete_cron="0 3 * * 0")
    before = bench.found().version
    assert "primary_key_cols names column 'code', which the target lacks" in bench.fail(row).message
    assert bench.found().version == before


def test_a_key_that_the_target_s_rows_do_not_have_is_refused(bench: Bench) -> None:
    row = begin(bench, "incremental")
    bench.source.execute("ALTER TABLE items ADD code integer")
    bench.set(row, primary_key_cols="code")
    assert "Key column code is new" in bench.fail(row).message


def test_a_key_that_got_other_texts_at_the_source_is_refused(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (code char(3) PRIMARY KEY, at timestamptz, v integer)")
    bench.source.execute("INSERT INTO items VALUES ('ab', now() - '1 h'::interval, 1)")
    row = bench.row(load_strategy="incremental", primary_key_cols="code", incremental_column="at")
    bench.succeed(row)
    before = bench.found().version
    bench.source.execute("ALTER TABLE items ALTER code TYPE char(5)")
    bench.source.execute("UPDATE items SET v = 2, at = now()")
    failed = bench.fail(row)
    assert f"Key column code of config_id {row} " in failed.message
    assert "is character(5) at the source, and the target holds its values as texts of character(3)" in (
        failed.message
    )
    assert (failed.receipt.rows_read, bench.found().version) == (None, before)
    bench.set(row, load_full="true")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    bench.succeed(row)


@pytest.mark.parametrize("another_row", [False, True])
def test_nor_is_a_key_that_a_restored_target_holds_with_other_texts(
    bench: Bench, *, another_row: bool
) -> None:
    bench.source.execute("CREATE TABLE items (code char(3) PRIMARY KEY, at timestamptz, v integer)")
    bench.source.execute("INSERT INTO items VALUES ('ab', now() - '1 h'::interval, 1)")
    values = {"load_strategy": "incremental", "primary_key_cols": "code", "incremental_column": "at"}
    row = bench.row(**values)
    version = bench.succeed(row).receipt.target_version
    if another_row:
        bench.set(row, is_active=False)
        row = bench.row(**values)
    bench.source.execute("ALTER TABLE items ALTER code TYPE char(5)")
    bench.set(row, load_full="true")
    bench.succeed(row)
    bench.spark_sql(f"RESTORE TABLE {{t}} TO VERSION AS OF {version}")
    assert "the target holds its values as texts of character(3)" in bench.fail(row).message
    assert [found[0] for found in bench.target_rows()] == ["ab "]
    bench.set(row, load_full="true")
    bench.succeed(row)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_nor_is_one_whose_name_has_another_case_since(bench: Bench) -> None:
    bench.source.execute('CREATE TABLE items ("Code" char(3), at integer)')
    bench.source.execute("INSERT INTO items SELECT 'a' || i, i FROM generate_series(1, 9) i")
    row = bench.row(load_strategy="incremental", primary_key_cols="code", incremental_column="at")
    bench.succeed(row)
    bench.source.execute('ALTER TABLE items RENAME COLUMN "Code" TO code')
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ALTER COLUMN code TYPE char(5)")
    assert "Key column code" in bench.fail(row).message


def test_days_that_are_kept_keep_the_texts_of_their_keys(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (code char(3) PRIMARY KEY, at timestamptz, v integer)")
    bench.source.execute("INSERT INTO items VALUES ('ab', now() - '9 days'::interval, 1), ('cd', now(), 1)")
    row = bench.row(
        load_strategy="rolling", rolling_column="at", rolling_days=30, rolling_retention="keep",
        primary_key_cols="code",
    )  # fmt: skip
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ALTER code TYPE char(5)")
    bench.set(row, rolling_days=1)
    bench.succeed(row)
    bench.succeed(row)
    bench.set(row, load_strategy="incremental", incremental_column="at")
    assert "the target holds its values as texts of character(3)" in bench.fail(row).message


def test_a_key_that_keeps_its_texts_may_change_its_type(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (code varchar(3) PRIMARY KEY, at timestamptz, v integer)")
    bench.source.execute("INSERT INTO items VALUES ('ab', now() - '1 h'::interval, 1)")
    row = bench.row(load_strategy="incremental", primary_key_cols="code", incremental_column="at")
    bench.succeed(row)
    bench.source.execute("ALTER TABLE items ALTER code TYPE text")
    bench.source.execute("UPDATE items SET v = 2, at = now()")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()


def test_a_source_that_has_nothing_of_the_target_is_not_loaded_as_nothing(bench: Bench) -> None:
    row = begin(bench, "full", schema_policy="ignore")
    bench.source.execute("ALTER TABLE items RENAME TO old; CREATE TABLE items (other integer)")
    assert "no column in common" in bench.fail(row).message
