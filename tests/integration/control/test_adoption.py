"""A database in the documents' original shape is taken over with all it holds, and can be given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from airflow_dataloader.control import migrate
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source
from tests.integration.control.drive import run_at
from tests.integration.control.test_migrate import OBJECTS, UP_TO_DATE

Said = tuple[list[str], Callable[[str], None]]

DOCUMENTS_TABLES = {
    "table_control_dbconfig": "db_config_key",
    "table_control": "config_id",
    "historical_metadata": "id",
    "table_control_history": "history_id",
}


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the documents' tables, times as instants or wall clocks, whichever they are."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("SET timezone = 'UTC'")
        return {
            table: connection.execute(f"SELECT * FROM control.{table} ORDER BY {key}").fetchall()
            for table, key in DOCUMENTS_TABLES.items()
        }


def adopt(url: str, said: Said | None = None) -> None:
    migrate.upgrade(url, timestamps_zone="Europe/Berlin", report=said[1] if said else lambda _: None)


def without_zone(value: Any) -> Any:
    from zoneinfo import ZoneInfo

    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    return value


def test_every_value_is_kept(old_url: str) -> None:
    before = contents(old_url)
    adopt(old_url)
    after = contents(old_url)
    assert migrate.status(old_url) == UP_TO_DATE
    for table, rows in before.items():
        assert len(after[table]) == len(rows)
        for old, new in zip(rows, after[table], strict=True):
            if table == "table_control":
                old["last_airflow_run"] = old.pop("last_dagster_run")
                if old["control_key"] is None:
                    # A NULL part made the documents' key NULL; it counts as '' now.
                    old["control_key"] = new["control_key"]
            assert {name: without_zone(new[name]) for name in old} == old


def test_the_keys_are_the_documents(old_url: str) -> None:
    keys = "SELECT config_id, control_key FROM control.table_control WHERE control_key IS NOT NULL ORDER BY 1"
    before = run_at(old_url, keys)
    adopt(old_url)
    assert len(before) == 5
    assert run_at(old_url, keys.replace("WHERE control_key IS NOT NULL", "WHERE config_id <> 4")) == before
    assert run_at(
        old_url, "SELECT control_key = sha256('orders') FROM control.table_control WHERE config_id = 4"
    ) == [(True,)]


def test_wall_clocks_become_instants_in_the_zone(old_url: str) -> None:
    adopt(old_url)
    ((winter, summer),) = run_at(
        old_url,
        "SELECT created_at, last_load_date_time FROM control.table_control WHERE config_id = 1",
    )
    assert winter == datetime(2024, 1, 15, 7, tzinfo=UTC)
    assert summer == datetime(2024, 7, 1, 0, tzinfo=UTC)
    ((before, after),) = run_at(
        old_url,
        "SELECT created_at, last_modified_at FROM control.table_control_dbconfig"
        " WHERE db_config_key = 'shop'",
    )
    assert (after - before).total_seconds() == 120


def test_the_result_is_the_same_as_a_fresh_database(old_url: str, control_url: str) -> None:
    adopt(old_url)
    assert sorted(run_at(old_url, OBJECTS)) == sorted(run_at(control_url, OBJECTS))


def test_what_is_odd_is_reported_and_left(old_url: str, said: Said) -> None:
    adopt(old_url, said)
    sentences = said[0]
    assert any("1 rows have a last_status that is none of the five" in sentence for sentence in sentences)
    assert any("1 rows are Queued or In Progress in the old system" in sentence for sentence in sentences)
    assert any("3 records of loads fit no row, or several rows" in sentence for sentence in sentences)
    assert len(sentences) == 4, "the last one says the version"
    statuses = run_at(
        old_url, "SELECT last_status, is_active, load_strategy FROM control.table_control ORDER BY config_id"
    )
    assert statuses[1] == ("Running", True, "turbo")
    assert statuses[2] == ("In Progress", True, "full")


def test_records_find_their_row_where_there_is_one(old_url: str) -> None:
    adopt(old_url)
    found = run_at(old_url, "SELECT run_id, config_id FROM control.historical_metadata ORDER BY id")
    assert found == [("run-1", 1), ("run-2", 2), ("run-3", 3), ("run-5", None), ("run-6", None), (None, None)]


def test_an_adopted_database_works(old_url: str) -> None:
    adopt(old_url)
    engine = create_engine(old_url)
    try:
        assert add_row(engine, source_table_name="new") == 7
    finally:
        engine.dispose()
    run_at(old_url, "UPDATE control.table_control SET last_status = 'Queued' WHERE config_id IN (1, 2)")
    with pytest.raises(psycopg.errors.UniqueViolation, match=r"`bronze`\.`shop`\.`orders`"):
        run_at(old_url, "UPDATE control.table_control SET is_active = true WHERE config_id = 4")


@pytest.mark.parametrize("zone", [None, "Berlin", "CEST; DROP TABLE x", "+02", "CET", "wet"])
def test_the_zone_must_be_said_and_known(old_url: str, zone: str | None) -> None:
    before = contents(old_url)
    with pytest.raises(ConfigurationError) as caught:
        migrate.upgrade(old_url, timestamps_zone=zone, report=lambda _: None)
    assert caught.value.field == "timestamps_zone"
    assert contents(old_url) == before


def test_an_empty_database_in_the_old_shape_needs_no_zone(old_url: str) -> None:
    run_at(old_url, f"TRUNCATE {', '.join(f'control.{table}' for table in DOCUMENTS_TABLES)}")
    migrate.upgrade(old_url, report=lambda _: None)
    assert migrate.status(old_url) == UP_TO_DATE


def test_two_active_rows_with_one_destination_stop_it_and_are_named(old_url: str) -> None:
    run_at(old_url, "UPDATE control.table_control SET is_active = true WHERE config_id = 4")
    run_at(old_url, "UPDATE control.table_control SET db_config_key = 'shop' WHERE config_id = 4")
    before = contents(old_url)
    with pytest.raises(ConfigurationError, match=r"`bronze`\.`shop`\.`orders` by config_id 1, 4") as caught:
        adopt(old_url)
    assert "is_active = false" in str(caught.value.fix)
    assert contents(old_url) == before
    run_at(old_url, "UPDATE control.table_control SET is_active = false WHERE config_id = 4")
    adopt(old_url)


def test_a_source_that_does_not_exist_stops_it_and_is_named(old_url: str) -> None:
    run_at(old_url, "ALTER TABLE control.table_control DROP CONSTRAINT table_control_db_config_key_fkey")
    run_at(old_url, "UPDATE control.table_control SET db_config_key = 'gone' WHERE config_id = 2")
    before = contents(old_url)
    with pytest.raises(ConfigurationError, match="sources that do not exist: gone"):
        adopt(old_url)
    assert contents(old_url) == before
    run_at(old_url, "INSERT INTO control.table_control_dbconfig VALUES ('gone', '{}', 'oracle')")
    adopt(old_url)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run_at(old_url, "UPDATE control.table_control SET db_config_key = 'nowhere'")


def test_a_view_of_somebodys_own_stops_it_and_is_named(old_url: str) -> None:
    run_at(old_url, "CREATE VIEW late AS SELECT last_load_date_time FROM control.table_control")
    with pytest.raises(ConfigurationError, match="view late depends on column") as caught:
        adopt(old_url)
    assert "drop the view" in str(caught.value.fix)
    assert migrate.status(old_url).current is None


def test_a_missing_column_stops_it_and_is_named(old_url: str) -> None:
    run_at(old_url, "ALTER TABLE control.table_control DROP COLUMN last_dagster_run")
    with pytest.raises(ConfigurationError, match='"last_dagster_run" does not exist'):
        adopt(old_url)
    assert migrate.status(old_url).current is None


def test_a_column_in_the_way_stops_it_and_is_named(old_url: str) -> None:
    run_at(old_url, "ALTER TABLE control.table_control ADD COLUMN owner INTEGER")
    with pytest.raises(ConfigurationError, match='"owner" of relation "table_control" already exists'):
        adopt(old_url)


def test_columns_that_the_documents_queries_use_may_be_there(old_url: str) -> None:
    run_at(
        old_url,
        "ALTER TABLE control.table_control ADD COLUMN retry_count INTEGER,"
        " ADD COLUMN staging_model_processed BOOLEAN DEFAULT true",
    )
    run_at(old_url, "UPDATE control.table_control SET retry_count = 2 WHERE config_id = 1")
    adopt(old_url)
    found = run_at(
        old_url,
        "SELECT retry_count, staging_model_processed FROM control.table_control"
        " WHERE config_id < 3 ORDER BY config_id",
    )
    assert found == [(2, True), (0, True)]


def test_a_column_of_somebodys_own_stays_and_counts_as_configuration(old_url: str) -> None:
    run_at(old_url, "ALTER TABLE control.table_control ADD COLUMN cost_centre TEXT DEFAULT '42'")
    adopt(old_url)
    run_at(old_url, "UPDATE control.table_control SET cost_centre = '43' WHERE config_id = 1")
    ((fields,),) = run_at(
        old_url, "SELECT changed_fields FROM control.table_control_history ORDER BY history_id DESC LIMIT 1"
    )
    assert fields == ["cost_centre"]


def test_a_column_whose_type_knows_no_equality_is_no_obstacle(old_url: str) -> None:
    for table in ("table_control", "table_control_dbconfig"):
        run_at(old_url, f"ALTER TABLE control.{table} ADD notes json, ADD page xml, ADD place point")
    adopt(old_url)
    engine = create_engine(old_url)
    row = add_row(engine, destination_table_name="of_its_own")
    assert [load.config_id for load in claim(engine, airflow_run="run", only=[row])] == [row]
    engine.dispose()
    before = f"SELECT row_version FROM control.table_control WHERE config_id = {row}"
    assert run_at(old_url, before) == [(1,)]
    run_at(old_url, f"UPDATE control.table_control SET notes = '[1]' WHERE config_id = {row}")
    assert run_at(old_url, before) == [(2,)]
    run_at(old_url, "UPDATE control.table_control_dbconfig SET notes = '[1]', max_concurrent_loads = 7")


def test_a_number_that_only_a_wider_column_holds_is_wrong_with_its_row_alone(old_url: str) -> None:
    columns = ("num_partitions", "rolling_days")
    for column in columns:
        run_at(old_url, f"ALTER TABLE control.table_control ALTER COLUMN {column} TYPE bigint")
    adopt(old_url)
    engine = create_engine(old_url)
    add_source(engine, "wide")
    wide = add_row(engine, db_config_key="wide")
    usual = add_row(engine, db_config_key="wide")
    for column in columns:
        run_at(old_url, f"UPDATE control.table_control SET {column} = 3000000000 WHERE config_id = {wide}")
    refused, loaded = claim(engine, airflow_run="run", only=[wide, usual])
    assert (refused.config_id, refused.load_status) == (wide, "Failed")
    assert "num_partitions: 3000000000" in str(refused.message)
    assert (loaded.config_id, loaded.load_status) == (usual, "Queued")
    engine.dispose()


def test_triggers_of_somebodys_own_stay_and_are_reported(old_url: str, said: Said) -> None:
    run_at(
        old_url,
        "CREATE TRIGGER mine BEFORE UPDATE ON control.table_control FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    )
    adopt(old_url, said)
    assert any("control.table_control has a trigger mine" in sentence for sentence in said[0])
    assert run_at(old_url, "SELECT count(*) FROM pg_trigger WHERE tgname = 'mine'") == [(1,)]


def test_parts_that_are_missing_are_made(old_url: str) -> None:
    run_at(old_url, "DROP VIEW control.table_control_history_vw")
    run_at(old_url, "DROP TABLE control.table_control_history")
    run_at(old_url, "DROP INDEX control.idx_table_control_control_key")
    adopt(old_url)
    assert migrate.status(old_url) == UP_TO_DATE
    run_at(old_url, "UPDATE control.table_control SET priority = 1 WHERE config_id = 1")
    assert run_at(old_url, "SELECT table_name FROM control.table_control_history_vw") == [("orders",)]


def test_given_back_it_holds_what_it_held(old_url: str) -> None:
    before = contents(old_url)
    adopt(old_url)
    run_at(
        old_url, "UPDATE control.table_control SET last_status = 'Failed' WHERE last_status = 'In Progress'"
    )
    migrate.downgrade(old_url, "0001")
    after = contents(old_url)
    for table, rows in before.items():
        for old, new in zip(rows, after[table], strict=True):
            for given in ("retry_count", "staging_model_processed"):
                new.pop(given, None)
            if new.get("config_id") == 3 and table == "table_control":
                old["last_status"], old["last_status_date_time"] = "Failed", new["last_status_date_time"]
            if table == "table_control":
                old["control_key"] = old["control_key"] or new["control_key"]
            assert new == old
    view = "SELECT column_name FROM information_schema.columns WHERE table_name = 'table_control_history_vw'"
    assert ("table_name",) not in run_at(old_url, view)
    migrate.upgrade(old_url, timestamps_zone="Europe/Berlin", report=lambda _: None)
    assert migrate.status(old_url) == UP_TO_DATE


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("DROP COLUMN rolling_days", "table_control.rolling_days is missing"),
        ("DROP COLUMN upper_bound", "table_control.upper_bound is missing"),
        ("ADD COLUMN retry_count TEXT DEFAULT '0'", "table_control.retry_count is text"),
        (
            "ALTER COLUMN last_status_message TYPE VARCHAR(60)",
            "table_control.last_status_message holds 60 characters",
        ),
        ("ALTER COLUMN query TYPE VARCHAR(4000)", "table_control.query holds 4000 characters"),
        ("ALTER COLUMN id TYPE INTEGER", "historical_metadata.id is integer"),
        ("ALTER COLUMN load_status TYPE CHAR(255)", "historical_metadata.load_status is character"),
        ("ALTER COLUMN total_duration TYPE SMALLINT", "historical_metadata.total_duration is smallint"),
    ],
)
def test_a_shape_that_no_load_could_work_with_is_refused_with_what_mends_it(
    old_url: str, change: str, wrong: str
) -> None:
    run_at(old_url, "DROP VIEW control.table_control_history_vw")
    run_at(old_url, f"ALTER TABLE control.{wrong.partition('.')[0]} {change}")
    before = run_at(old_url, OBJECTS)
    with pytest.raises(ConfigurationError, match=wrong) as caught:
        adopt(old_url)
    assert sorted(run_at(old_url, OBJECTS)) == sorted(before)
    run_at(old_url, str(caught.value.fix).removesuffix("; then migrate again"))
    adopt(old_url)
    assert migrate.status(old_url) == UP_TO_DATE
    engine = create_engine(old_url)
    add_source(engine, "usual")
    assert claim(engine, airflow_run="run", only=[add_row(engine, db_config_key="usual")])
    engine.dispose()
