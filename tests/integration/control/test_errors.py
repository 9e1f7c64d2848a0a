"""What the control database refuses, in words: the field, and the fix."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control.errors import OWN_FUNCTIONS, is_about_row
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source
from tests.integration.control.drive import sql


@pytest.fixture
def config_id(control: Engine) -> int:
    add_source(control)
    return add_row(control)


def refused(control: Engine, statement: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught, transaction(control) as connection:
        connection.exec_driver_sql(statement)
    return caught.value


def test_a_text_that_no_statement_can_carry_is_refused(control: Engine) -> None:
    with pytest.raises(ConfigurationError, match="cannot contain NUL"), transaction(control) as connection:
        connection.execute(text("SELECT CAST(:value AS text)"), {"value": "a\0b"})


def test_every_constraint_of_ours_names_its_column(control: Engine) -> None:
    ours = sql(
        control,
        "SELECT conrelid::regclass::text, conname::text, attname::text FROM pg_constraint c "
        "LEFT JOIN pg_attribute a ON attrelid = conrelid AND attnum = ANY (conkey) "
        "WHERE contype = 'c' AND connamespace = 'control'::regnamespace",
    )
    assert len(ours) > 10
    for table, constraint, column in ours:
        assert constraint == f"{table.removeprefix('control.')}_{column}_check"


def test_a_value_that_a_constraint_of_ours_refuses(control: Engine, config_id: int) -> None:
    error = refused(control, f"UPDATE control.table_control SET lookback = 'x' WHERE config_id = {config_id}")
    assert error.field == "lookback"
    assert "table_control.lookback cannot have this value" in error.message


@pytest.mark.parametrize("name", ["table_control_owner_known", "priority", "table_control_of_ours_check"])
def test_somebody_s_own_constraint_is_named_as_theirs(control: Engine, config_id: int, name: str) -> None:
    sql(control, f"ALTER TABLE control.table_control ADD CONSTRAINT {name} CHECK (owner <> 'anna')")
    error = refused(control, f"UPDATE control.table_control SET owner = 'anna' WHERE config_id = {config_id}")
    assert error.field == name
    assert f"constraint {name}, which is not this package's" in error.message
    assert "mend the row of table_control" in (error.fix or "")


def test_somebody_s_own_trigger_is_quoted(control: Engine, config_id: int) -> None:
    sql(
        control,
        "CREATE FUNCTION freeze() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'tables of team X are frozen' USING ERRCODE = 'check_violation'; END $$",
    )
    sql(
        control,
        "CREATE TRIGGER frozen BEFORE UPDATE ON control.table_control FOR EACH ROW EXECUTE FUNCTION freeze()",
    )
    error = refused(control, f"UPDATE control.table_control SET owner = 'anna' WHERE config_id = {config_id}")
    assert error.message == "The control database refused: tables of team X are frozen."


def test_the_package_knows_its_functions(control: Engine) -> None:
    found = sql(
        control,
        "SELECT proname::text FROM pg_proc JOIN pg_language l ON l.oid = prolang "
        "WHERE pronamespace = 'control'::regnamespace AND lanname = 'plpgsql'",
    )
    assert {row.proname for row in found} == OWN_FUNCTIONS


def test_an_error_in_a_function_of_ours_is_nobody_else_s(control: Engine, config_id: int) -> None:
    """Its name is said without the schema, which it searches."""
    sql(control, "REVOKE ALL ON control.table_control_history FROM PUBLIC")
    sql(
        control,
        "CREATE OR REPLACE FUNCTION control.record_change() RETURNS trigger LANGUAGE plpgsql "
        "SET search_path = pg_catalog, control, pg_temp AS $$ BEGIN "
        "RAISE SQLSTATE 'XX001' USING MESSAGE = 'an index is broken'; END $$",
    )
    with pytest.raises(DBAPIError, match="an index is broken") as caught, transaction(control) as connection:
        connection.exec_driver_sql("UPDATE control.table_control SET owner = 'anna'")
    assert not is_about_row(caught.value)
