"""The control database behind an Airflow connection, asked for real."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import psycopg
import pytest

from airflow_dataloader.control.times import LATEST
from airflow_dataloader.hooks.control import ControlHook
from tests.airflow_db import Connections
from tests.conftest import Server
from tests.waiting import until

NAME = "control_here"
WRONG = "swordfish"


@pytest.fixture
def hook(control_url: str, connections: Connections) -> ControlHook:
    """Return a hook whose connection leads to a migrated control database."""
    connections.control(control_url, NAME)
    return ControlHook(NAME)


@pytest.fixture
def lame(postgres: Server, connections: Connections) -> ControlHook:
    """Return a hook whose connection has a wrong password."""
    connections.define(
        NAME,
        conn_type="dataloader_control",
        host="127.0.0.1",
        port=postgres.port,
        schema="postgres",
        login=postgres.user,
        password=WRONG,
    )
    return ControlHook(NAME)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Hold a port of this machine on which nobody answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_migrated_database_is_what_is_needed(hook: ControlHook) -> None:
    assert hook.test_connection() == (True, "Connected, and the schema is the one that this version needs.")


def test_the_test_changes_nothing_and_leaves_no_session(hook: ControlHook, control_url: str) -> None:
    hook.test_connection()
    with psycopg.connect(control_url) as connection:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
        own = [connection.info.backend_pid]
        connection.autocommit = True
        # A session that was closed takes a moment to go.
        until(lambda: connection.execute(count, own).fetchone() == (0,))


def test_a_wrong_password_is_said_and_not_shown(lame: ControlHook) -> None:
    reached, said = lame.test_connection()
    assert not reached
    assert "password authentication failed" in said
    assert "postgres at 127.0.0.1" in said
    assert "user, password and database are right" in said
    assert WRONG not in said


def test_a_server_that_does_not_answer_is_said(closed_port: int, connections: Connections) -> None:
    connections.control(f"postgresql://u:{WRONG}@127.0.0.1:{closed_port}/d", NAME)
    reached, said = ControlHook(NAME).test_connection()
    assert not reached
    assert f"The control database d at 127.0.0.1:{closed_port} cannot be reached" in said
    assert WRONG not in said


def test_a_database_without_schema_is_to_be_migrated(empty_url: str, connections: Connections) -> None:
    connections.control(empty_url, NAME)
    reached, said = ControlHook(NAME).test_connection()
    assert not reached
    assert "dataloader db migrate" in said


def test_an_older_schema_is_to_be_migrated(hook: ControlHook, control_url: str) -> None:
    with psycopg.connect(control_url) as connection:
        connection.execute("UPDATE control.dataloader_version SET version_num = '0001'")
    reached, said = hook.test_connection()
    assert not reached
    assert "has version 0001" in said
    assert "dataloader db migrate" in said


def test_a_connection_that_leads_nowhere_is_said(connections: Connections) -> None:
    connections.define(NAME, conn_type="dataloader_control", host="db.example", extra={"sslmode": "disable"})
    reached, said = ControlHook(NAME).test_connection()
    assert not reached
    assert f"Airflow connection {NAME}" in said


def test_a_connection_of_ones_own_reads_what_ours_read(hook: ControlHook, control_url: str) -> None:
    with psycopg.connect(control_url) as connection:
        connection.execute(
            "INSERT INTO control.table_control_dbconfig"
            " (db_config_key, db_config_value, db_type, paused_until)"
            " VALUES ('shop', '{}', 'postgresql', 'infinity')"
        )
    with hook.get_conn() as connection:
        found = connection.execute("SELECT db_config_key, paused_until FROM control.table_control_dbconfig")
        assert found.fetchall() == [("shop", LATEST)]
        assert connection.execute("SHOW application_name").fetchone() == ("airflow_dataloader",)
    assert hook.get_records("SELECT db_type FROM control.table_control_dbconfig") == [("postgresql",)]


def test_a_connection_with_a_wrong_password_is_refused_without_showing_it(lame: ControlHook) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed") as caught:
        lame.get_conn()
    assert WRONG not in str(caught.value)
