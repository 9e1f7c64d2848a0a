"""A source that cannot be reached or read: the error names the field, the fix, and whether to try again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from airflow_dataloader.exceptions import (
    ConfigurationError,
    DataloaderError,
    SourceRefused,
    SourceUnavailable,
)
from airflow_dataloader.free_port import free_port
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.registry import open_session
from tests.source_configs import endpoint_of

if TYPE_CHECKING:
    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from tests.conftest import Server


def _wrong(**overrides: object) -> Callable[[psycopg.Connection], PostgresqlSession]:
    return lambda source_db: PostgresqlSession(endpoint_of(source_db, **overrides))


@pytest.mark.parametrize(
    ("connect", "kind", "field", "sqlstate"),
    [
        (_wrong(password="canary-wrong"), SourceRefused, "db_config_value.password", "28P01"),
        (_wrong(user="nobody"), SourceRefused, "db_config_value.password", "28P01"),
        (_wrong(database="nowhere"), SourceRefused, "db_config_value.database", "3D000"),
        (_wrong(host="no-such-host.invalid"), SourceUnavailable, "db_config_value.host", "08001"),
        (_wrong(host="a b"), ConfigurationError, "db_config_value.host", None),
        (
            _wrong(options={"sslmode": "require"}),
            ConfigurationError,
            "connection_options.sslmode",
            None,
        ),
    ],
)
def test_a_connection_that_fails_names_field_and_fix(
    source_db: psycopg.Connection,
    connect: Callable[[psycopg.Connection], PostgresqlSession],
    kind: type[DataloaderError],
    field: str,
    sqlstate: str | None,
) -> None:
    with pytest.raises(kind) as refusal:
        connect(source_db)
    assert (refusal.value.field, refusal.value.sqlstate) == (field, sqlstate)
    assert refusal.value.fix
    assert "canary" not in str(refusal.value)


def test_a_port_where_nobody_listens_is_worth_another_try(source_db: psycopg.Connection) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be reached") as refusal:
        PostgresqlSession(endpoint_of(source_db, port=free_port()))
    assert refusal.value.field == "db_config_value.host"


@pytest.mark.parametrize(
    ("relation", "field", "sqlstate"),
    [
        ('"public"."gone"', "source_table_name", "42P01"),
        ('"gone"."t"', "source_table_name", "42P01"),
        ("(SELECT * FROM gone) AS q", "query", "42P01"),
        ("(SELECT nothing FROM t) AS q", "query", "42703"),
        ("(SELECT FROM WHERE) AS q", "query", "42601"),
        ("(SELECT id, id FROM t) AS q WHERE id = 1", "query", "42702"),
        ("(SELECT 1/id AS x FROM t) AS q", None, None),
    ],
)
def test_a_relation_that_cannot_be_read_names_its_field(
    source_db: psycopg.Connection,
    session: SourceSession,
    relation: str,
    field: str | None,
    sqlstate: str | None,
) -> None:
    source_db.execute("CREATE TABLE t (id int)")
    if field is None:
        assert [column.name for column in session.describe(relation)] == ["x"]
        return
    with pytest.raises(SourceRefused) as refusal:
        session.describe(relation)
    assert (refusal.value.field, refusal.value.sqlstate) == (field, sqlstate)


def test_another_database_in_the_row_is_the_catalog_s_fault(session: SourceSession) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        session.describe('"elsewhere"."public"."t"')
    assert refusal.value.field == "source_table_catalog"


def test_a_table_that_the_login_may_not_read_is_named(source_db: psycopg.Connection, login: Endpoint) -> None:
    source_db.execute("CREATE TABLE t (id int)")
    plain = open_session(login)
    with closing(plain), pytest.raises(SourceRefused, match="may not read") as refusal:
        plain.describe("t")
    assert (refusal.value.field, refusal.value.sqlstate) == ("source_table_name", "42501")


def test_a_session_that_an_administrator_ends_is_worth_another_try(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    session.open_snapshot()
    source_db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'adl-test-1'"
    )
    with pytest.raises(SourceUnavailable):
        session.query("SELECT 1")
    with pytest.raises(SourceUnavailable):
        session.query("SELECT 1")
    session.close()


def test_a_server_that_restarts_is_worth_another_try(
    postgres: Server, source_db: psycopg.Connection, session: SourceSession
) -> None:
    endpoint = endpoint_of(source_db)
    postgres.stop()
    try:
        with pytest.raises(SourceUnavailable):
            session.query("SELECT 1")
        # Refused, or accepted by what is left of the server and hung up on.
        with pytest.raises(SourceUnavailable, match=r"cannot be reached|broke off"):
            PostgresqlSession(endpoint)
    finally:
        postgres.start()
