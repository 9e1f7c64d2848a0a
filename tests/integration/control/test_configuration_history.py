"""Every edit of a row's configuration is recorded, whoever makes it, and nothing else is."""

from __future__ import annotations

from itertools import product
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, Row, text

from airflow_dataloader.control.tables import table_control
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.status import RowStatus
from tests.factories import add_row, add_source
from tests.integration.control.drive import run_at

#: Columns that claims, loaders and triggers write, each with a value that it does not have yet.
NOT_CONFIGURATION = {
    "last_status": "'Queued'",
    "last_load_date_time": "now()",
    "next_load_date_time": "now()",
    "next_delete_scan": "now()",
    "last_status_date_time": "now()",
    "last_status_message": "'hello'",
    "last_airflow_run": "'run'",
    "last_databricks_run": "'run'",
    "retry_count": "2",
    "staging_model_processed": "true",
    "load_epoch": "5",
    "row_version": "99",
    "resolved_destination": "'x'",
    "created_at": "now()",
    "last_modified_at": "now()",
    "create_user": "'x'",
    "last_modified_user": "'x'",
    "watermark_of": "'x'",
}

#: An edit of every other column.
CONFIGURATION = {
    "is_active": "false",
    "db_config_key": "NULL",
    "source_table_catalog": "'c'",
    "source_table_schema": "'other'",
    "source_table_name": "'other'",
    "query": "'SELECT 1'",
    "destination_table_catalog": "'silver'",
    "destination_table_schema": "'other'",
    "destination_table_name": "'other'",
    "load_strategy": "'incremental'",
    "load_full": "'true'",
    "load_cron": "'0 2 * * *'",
    "incremental_column": "'updated_at'",
    "incremental_type": "'timestamp'",
    "incremental_value": "'2020-01-01'",
    "rolling_column": "'day'",
    "rolling_days": "7",
    "num_partitions": "4",
    "partition_column": "'id'",
    "lower_bound": "'1'",
    "upper_bound": "'9'",
    "primary_key_cols": "'id'",
    "priority": "5",
    "load_timezone": "'Europe/Berlin'",
    "max_runtime_minutes": "60",
    "freshness_minutes": "60",
    "owner": "'anna'",
    "tags": "'{daily}'",
    "lookback": "'2 days'",
    "chunk_size": "'7 days'",
    "null_cursor_policy": "'fail'",
    "schema_policy": "'freeze'",
    "value_policy": "'null'",
    "empty_source_policy": "'allow'",
    "shrink_guard_percent": "15",
    "rolling_retention": "'keep'",
    "delete_policy": "'soft'",
    "delete_cron": "'0 3 * * 0'",
    "load_columns_policy": "'id_and_time'",
    "cluster_by_key": "true",
    "optimize_every_hours": "24",
    "vacuum_every_hours": "168",
}


LAST_CHANGE = text(
    "SELECT * FROM control.table_control_history WHERE config_id = :id ORDER BY history_id DESC LIMIT 1"
)
REPAIR = {"dataloader.repair": "on"}
VERSION_OF = text("SELECT row_version FROM control.table_control WHERE config_id = :id")


@pytest.fixture(autouse=True)
def source(control: Engine) -> str:
    return add_source(control)


@pytest.fixture
def row(control: Engine) -> int:
    return add_row(control, source_table_name="orders")


def edit(control: Engine, assignments: str, **options: Any) -> None:
    with transaction(control, **options) as connection:
        connection.execute(text(f"UPDATE control.table_control SET {assignments}"))


def history(control: Engine) -> list[Row[Any]]:
    """Return what was recorded after the row's creation."""
    with transaction(control) as connection:
        query = text("SELECT * FROM control.table_control_history_vw ORDER BY history_id OFFSET 1")
        return list(connection.execute(query))


def row_version(control: Engine) -> int:
    with transaction(control) as connection:
        return int(connection.execute(text("SELECT row_version FROM control.table_control")).scalar_one())


def test_the_two_lists_hold_every_column() -> None:
    named = {"config_id", "control_key", *NOT_CONFIGURATION, *CONFIGURATION}
    assert named == {column.name for column in table_control.columns}


def test_every_edit_of_configuration_is_recorded(control: Engine) -> None:
    for column, value in CONFIGURATION.items():
        edited = add_row(control)
        edit(control, f"{column} = {value} WHERE config_id = {edited}")
        with transaction(control) as connection:
            recorded = connection.execute(LAST_CHANGE, {"id": edited}).one()
            version = connection.execute(VERSION_OF, {"id": edited}).scalar_one()
        assert (recorded.change_type, recorded.changed_fields) == ("UPDATE", [column])
        assert recorded.old_values[column] != recorded.new_values[column]
        assert version == 2


def test_nothing_that_a_load_writes_is_recorded(control: Engine, row: int) -> None:
    for column, value in NOT_CONFIGURATION.items():
        edit(control, f"{column} = {value}")
        assert history(control) == [], column
        assert row_version(control) == 1, column


def test_what_the_database_computes_of_a_row_is_no_edit(control: Engine, row: int) -> None:
    with transaction(control) as connection:
        own = "is_late boolean GENERATED ALWAYS AS (last_status IS NULL AND retry_count > 0) STORED"
        connection.exec_driver_sql(f"ALTER TABLE control.table_control ADD COLUMN {own}")
    edit(control, "retry_count = 1")
    assert (history(control), row_version(control)) == ([], 1)
    edit(control, "owner = 'anna'")
    (recorded,) = history(control)
    assert (recorded.changed_fields, row_version(control)) == (["owner"], 2)


def test_an_edit_that_changes_nothing_is_none(control: Engine, row: int) -> None:
    edit(control, "load_strategy = load_strategy, tags = '{}'")
    assert history(control) == []
    assert row_version(control) == 1


def test_who_and_why_come_from_the_transaction(control: Engine, row: int) -> None:
    edit(control, "priority = 1", change_source="bulk_edit", changed_by="anna@example.org")
    edit(control, "priority = 2")
    first, second = history(control)
    assert (first.change_source, first.changed_by) == ("bulk_edit", "anna@example.org")
    assert second.change_source == "sql"
    assert second.changed_by == control_user(control)
    with transaction(control) as connection:
        users = connection.execute(text("SELECT create_user, last_modified_user FROM control.table_control"))
        assert users.one() == (control_user(control), control_user(control))


def control_user(control: Engine) -> str:
    with transaction(control) as connection:
        return str(connection.execute(text("SELECT session_user")).scalar_one())


def test_last_modified_follows_edits_only(control: Engine, row: int) -> None:
    query = text("SELECT last_modified_at FROM control.table_control")
    with transaction(control) as connection:
        created = connection.execute(query).scalar_one()
    edit(control, "last_status_message = 'x'")
    with transaction(control) as connection:
        assert connection.execute(query).scalar_one() == created
    edit(control, "priority = 1", changed_by="anna")
    with transaction(control) as connection:
        assert connection.execute(query).scalar_one() > created
        user = connection.execute(text("SELECT last_modified_user FROM control.table_control"))
        assert user.scalar_one() == "anna"


def run_to(control: Engine, status: str) -> None:
    edit(control, "last_status = 'Queued'")
    edit(control, f"last_status = '{status}'")


def watermark_of(control: Engine) -> str | None:
    with transaction(control) as connection:
        query = text("SELECT watermark_of FROM control.table_control")
        found: str | None = connection.execute(query).scalar_one()
    return found


def test_the_loaders_watermark_is_no_edit(control: Engine, row: int) -> None:
    run_to(control, "In Progress")
    edit(control, "incremental_value = '5', watermark_of = 'digest'", change_source="loader")
    assert (history(control), row_version(control), watermark_of(control)) == ([], 1, "digest")


def test_a_row_that_is_not_loaded_has_no_loader(control: Engine, row: int) -> None:
    edit(control, "incremental_value = '5', watermark_of = 'digest'", change_source="loader")
    assert [recorded.changed_fields for recorded in history(control)] == [["incremental_value"]]
    assert watermark_of(control) is None


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_a_person_who_ends_a_load_by_hand_is_no_loader(control: Engine, row: int, status: str) -> None:
    run_to(control, "In Progress")
    edit(control, "incremental_value = '5', watermark_of = 'digest'", change_source="loader")
    edit(control, f"last_status = '{status}', incremental_value = '999'")
    (recorded,) = history(control)
    assert recorded.change_source == "sql"
    assert (recorded.old_values["incremental_value"], recorded.new_values["incremental_value"]) == (
        "5",
        "999",
    )
    assert ("last_status" in recorded.changed_fields) == (status == "Succeeded")
    assert (row_version(control), watermark_of(control)) == (2, None)


def test_a_success_that_a_person_wrote_is_recorded(control: Engine, row: int) -> None:
    run_to(control, "In Progress")
    edit(control, "last_status = 'Succeeded'", changed_by="anna")
    (recorded,) = history(control)
    assert (recorded.change_source, recorded.changed_by) == ("sql", "anna")
    assert recorded.changed_fields == ["last_status"]


@pytest.mark.parametrize("change_source", [None, "loader", "repair", "status_reset", "bulk_edit"])
def test_a_move_is_recorded_where_it_is_one_by_hand(control: Engine, change_source: str | None) -> None:
    by_hand = text("SELECT control.is_moved_by_hand(:old, :new)")
    move = text("UPDATE control.table_control SET last_status = :new WHERE config_id = :id")
    seen = set()
    for old, new in product([None, *RowStatus], [None, *RowStatus]):
        moved = add_row(control)
        with transaction(control, settings=REPAIR) as connection:
            connection.execute(move, {"new": old, "id": moved})
        with transaction(control, settings=REPAIR, change_source=change_source) as connection:
            before = connection.execute(LAST_CHANGE, {"id": moved}).one()
            expected = connection.execute(by_hand, {"old": old, "new": new}).scalar_one()
            connection.execute(move, {"new": new, "id": moved})
            after = connection.execute(LAST_CHANGE, {"id": moved}).one()
        assert (after.history_id != before.history_id) == expected, (old, new)
        seen.add(expected)
    assert seen == {True, False}


def test_a_truncation_is_recorded_row_by_row(control: Engine, row: int) -> None:
    add_row(control, source_table_name="lines")
    with transaction(control, changed_by="anna", change_source="promotion") as connection:
        connection.execute(text("TRUNCATE control.table_control CASCADE"))
    gone = history(control)[-2:]
    assert [(each.change_type, each.changed_by, each.change_source) for each in gone] == [
        ("DELETE", "anna", "promotion")
    ] * 2
    assert {each.table_name for each in gone} == {"orders", "lines"}


def test_a_persons_watermark_is_an_edit(control: Engine, row: int) -> None:
    edit(control, "incremental_value = '5'", change_source="single_edit")
    assert [recorded.changed_fields for recorded in history(control)] == [["incremental_value"]]


def test_what_a_loader_does_to_strategy_and_load_full_is_recorded_as_its_own(
    control: Engine, row: int
) -> None:
    edit(control, "load_full = 'true'")
    run_to(control, "In Progress")
    edit(
        control,
        "last_status = 'Succeeded', load_strategy = 'incremental', load_full = NULL, incremental_value = '9'",
        change_source="loader",
    )
    settled = history(control)[-1]
    assert settled.change_source == "loader"
    assert {"load_full", "load_strategy"} <= set(settled.changed_fields)
    assert row_version(control) == 3


def test_a_settlement_that_only_moves_the_watermark_leaves_no_trace(control: Engine, row: int) -> None:
    run_to(control, "In Progress")
    edit(control, "last_status = 'Succeeded', incremental_value = '9'", change_source="loader")
    assert history(control) == []
    assert row_version(control) == 1


def test_the_documents_status_reset_is_recorded(control: Engine, row: int) -> None:
    edit(control, "last_status = 'Queued'")
    edit(control, "last_status = 'Failed'")
    edit(control, "last_status = NULL", change_source="status_reset", changed_by="anna")
    (recorded,) = history(control)
    assert recorded.changed_fields == ["last_status"]
    assert recorded.old_values["last_status"] == "Failed"
    assert row_version(control) == 1


def test_creation_and_deletion_tell_the_whole_row_and_its_name(control: Engine, row: int) -> None:
    edit(control, "priority = 7")
    with transaction(control, change_source="promotion") as connection:
        connection.execute(text("DELETE FROM control.table_control"))
    with transaction(control) as connection:
        view = text("SELECT * FROM control.table_control_history_vw ORDER BY history_id")
        created, edited, deleted = connection.execute(view)
    assert (created.change_type, edited.change_type, deleted.change_type) == ("INSERT", "UPDATE", "DELETE")
    assert created.old_values is None
    assert deleted.new_values is None
    assert set(deleted.old_values) == set(CONFIGURATION)
    assert deleted.old_values["priority"] == 7
    assert deleted.change_source == "promotion"
    for recorded in (created, edited, deleted):
        assert recorded.config_id == row
        assert recorded.db_config_key == "shop"
        assert recorded.source_table_name == recorded.table_name == "orders"
        assert len(recorded.control_key_hex) == 64


def test_settings_end_with_their_transaction(control: Engine, row: int) -> None:
    edit(control, "priority = 1", change_source="clone", changed_by="anna")
    edit(control, "priority = 2")
    assert [recorded.change_source for recorded in history(control)] == ["clone", "sql"]


def test_overlong_words_are_cut_not_refused(control: Engine, row: int) -> None:
    edit(control, "priority = 1", change_source="s" * 80, changed_by="b" * 300)
    (recorded,) = history(control)
    assert (len(recorded.change_source), len(recorded.changed_by)) == (50, 255)


#: Functions of triggers that run with the rights of the tables' owner.
OF_THE_OWNER = (
    "check_epoch",
    "resolve_destination",
    "resolve_destinations_of_source",
    "record_change",
    "record_truncation",
)


def test_the_functions_that_an_editor_may_not_use_are_all_that_run_as_the_owner(control: Engine) -> None:
    with transaction(control) as connection:
        query = (
            "SELECT proname FROM pg_proc WHERE pronamespace = 'control'::regnamespace AND prosecdef "
            "AND prorettype = 'trigger'::regtype"
        )
        assert set(connection.execute(text(query)).scalars()) == set(OF_THE_OWNER)


def test_an_editor_without_rights_on_the_history_writes_it_and_cannot_forge_it(
    control: Engine, control_url: str, row: int
) -> None:
    from sqlalchemy.engine import make_url

    from airflow_dataloader.control.connect import create_engine
    from airflow_dataloader.exceptions import ConfigurationError

    name = f"editor_{make_url(control_url).database}"
    with transaction(control) as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'editor'"))
        connection.execute(text(f"GRANT USAGE ON SCHEMA control TO {name}"))
        connection.execute(text(f"GRANT SELECT, UPDATE ON control.table_control TO {name}"))
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA control TO {name}"))
    address = make_url(control_url).set(username=name, password="editor")
    editor_url = address.render_as_string(hide_password=False)
    engine = create_engine(editor_url)
    try:
        with transaction(engine) as connection:
            for table in ("table_control_history", "table_control_dbconfig"):
                connection.execute(text(f"CREATE TEMP TABLE {table} AS TABLE control.{table} WITH NO DATA"))
                connection.execute(text(f"GRANT ALL ON {table} TO PUBLIC"))
            connection.execute(text("UPDATE control.table_control SET destination_table_name = 'elsewhere'"))
        forge = text("DELETE FROM control.table_control_history")
        with pytest.raises(ConfigurationError, match="permission denied"), transaction(engine) as connection:
            connection.execute(forge)
        for function in OF_THE_OWNER:
            # Its body would run with the owner's rights, on a table of the editor's own.
            when = "TRUNCATE ON mine" if "truncation" in function else "UPDATE ON mine FOR EACH ROW"
            steal = (
                "CREATE TEMP TABLE mine AS TABLE control.table_control WITH NO DATA; "
                f"CREATE TRIGGER t BEFORE {when} EXECUTE FUNCTION control.{function}()"
            )
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"for function .*{function}"):
                run_at(editor_url, steal)
        assert [recorded.changed_by for recorded in history(control)] == [name]
    finally:
        engine.dispose()
        with transaction(control) as connection:
            connection.execute(text(f"DROP OWNED BY {name}"))
            connection.execute(text(f"DROP ROLE {name}"))
