"""What a person may get wrong: each ends in one message that names row, field and fix, and changes nothing.

Every test runs with a password that nobody else uses; afterwards it must not be found anywhere.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError, ControlUnavailable, NotMigrated
from airflow_dataloader.loader.local import load_locally
from tests.bench import Bench
from tests.integration.loader.desk import CANARY, Desk

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.engine import SparkEngine
    from airflow_dataloader.loader.engines.spark.server import ConnectServer
    from tests.conftest import Server

INCREMENTAL = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "updated_at"}


@pytest.fixture(scope="module")
def databases(
    postgres: Server,
    control_template: str,
    connect_engine: SparkEngine,
    connect_server: ConnectServer,
    home: Path,
) -> Iterator[Callable[[], Bench]]:
    """Databases for the whole file, emptied for every test: making them anew costs a second each time."""
    names = ("refusals_control", "refusals_source")
    postgres.create(names[0], control_template)
    postgres.create(names[1])
    control = create_engine(postgres.url(names[0]))
    with psycopg.connect(postgres.url(names[1]), autocommit=True) as source:
        source.execute(sql.SQL("CREATE ROLE canary LOGIN PASSWORD {}").format(sql.Literal(CANARY)))

        def empty() -> Bench:
            source.execute(
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO canary"
            )
            with control.begin() as connection:
                connection.execute(text(EMPTY))
            return Bench(control=control, source=source, engine=connect_engine, server=postgres, home=home)

        yield empty
    control.dispose()
    for name in names:
        postgres.drop(name)
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("DROP ROLE canary")


EMPTY = """
    TRUNCATE control.table_control, control.table_control_dbconfig, control.historical_metadata,
        control.table_control_history, control.backfill, control.load_chunk
"""


@pytest.fixture
def desk(databases: Callable[[], Bench], caplog: pytest.LogCaptureFixture) -> Iterator[Desk]:
    caplog.set_level(logging.DEBUG)
    bench = databases()
    desk = Desk(bench)
    log = bench.home / "server.log"
    begin = log.stat().st_size
    yield desk
    written = caplog.text + log.read_bytes()[begin:].decode(errors="replace")
    written += everything(bench.control)
    for path in (bench.home / "warehouse" / "bronze" / bench.schema).rglob("*.json"):
        written += path.read_text()
    assert bench.schema in written, "nothing was looked at"
    assert [way for way in (CANARY, quote(CANARY), quote(CANARY, safe="")) if way in written] == []


def everything(control: Any) -> str:
    """Return all rows of all tables of a control database."""
    tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'control'"
    with control.begin() as connection:
        names = list(connection.execute(text(tables)).scalars())
        return "\n".join(
            str(row)
            for name in names
            for row in connection.execute(text(f"SELECT t::text FROM {name} t")).scalars()
        )


def test_the_desk_itself_loads(desk: Desk) -> None:
    row = desk.bench.row(**INCREMENTAL)
    assert desk.load(row).status == "Succeeded"
    assert desk.bench.target_rows() == desk.bench.source_rows()


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"load_strategy": "upsert"}, "load_strategy", ["'upsert' is not a strategy", "incremental"]),
        ({"load_strategy": None}, "load_strategy", ["is empty"]),
        (
            {"load_strategy": "rolling", "rolling_column": "updated_at", "rolling_days": 0},
            "rolling_days",
            ["is 0, and rolling needs at least 1"],
        ),
        (INCREMENTAL | {"primary_key_cols": None}, "primary_key_cols", ["incremental needs it"]),
        (INCREMENTAL | {"primary_key_cols": " , "}, "primary_key_cols", ["incremental needs it"]),
        (INCREMENTAL | {"incremental_column": None}, "incremental_column", ["incremental needs it"]),
        (
            INCREMENTAL | {"primary_key_cols": "id, nmae"},
            "primary_key_cols",
            ["'nmae'", "does not have", "'name'"],
        ),
        (
            INCREMENTAL | {"incremental_column": "changed"},
            "incremental_column",
            ["'changed'", "does not have"],
        ),
        (
            INCREMENTAL | {"incremental_type": "integer"},
            "incremental_type",
            ["timestamp with", "set it to timestamp"],
        ),
        (INCREMENTAL | {"incremental_type": "uuid"}, "incremental_type", ["'uuid' is not a cursor type"]),
        (INCREMENTAL | {"lookback": "7"}, "lookback", ["span of time"]),
        (INCREMENTAL | {"lookback": "3000000 days"}, "lookback", ["3,000,000 days", "calendar"]),
        ({"num_partitions": 0}, "num_partitions", ["between 1 and 256"]),
        (
            {"source_table_name": None, "destination_table_name": "items"},
            "source_table_name",
            ["so is query"],
        ),
        ({"load_cron": "every day"}, "load_cron", ["every day"]),
        ({"load_cron": "0 2 * * *", "load_timezone": "Mars/Base"}, "load_timezone", ["Mars/Base"]),
    ],
)
def test_what_a_row_says(desk: Desk, values: dict[str, Any], field: str, words: list[str]) -> None:
    desk.refused(desk.bench.row(**values), field, *words)


def test_a_source_that_nobody_described(desk: Desk) -> None:
    row = desk.bench.row(db_config_key=None)
    desk.refused(row, "db_config_key", "is empty", "table_control_dbconfig")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"db_type": "mysql"}, ["unknown type 'mysql'", "use postgresql"]),
        ({"db_type": "oracle"}, ["'oracle' cannot be loaded by this version"]),
        # It has secrets of its own.
        (
            {"db_type": "snowflake_pem", "db_config_value": {"account": "a"}},
            ["'snowflake_pem' cannot be loaded by this version"],
        ),
    ],
)
def test_a_source_of_another_type(desk: Desk, source: dict[str, Any], words: list[str]) -> None:
    desk.change_source(**source)
    desk.refused(desk.bench.row(), "db_type", *words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-13-01", ["is not a timestamp", "NULL to load everything"]),
        ("yesterday's", ["is not a timestamp"]),
        ("12", ["is not a timestamp"]),
    ],
)
def test_a_watermark_that_is_no_value_of_the_cursor(desk: Desk, value: str, words: list[str]) -> None:
    row = desk.bench.row(**INCREMENTAL)
    assert desk.load(row).status == "Succeeded"
    desk.bench.set(row, incremental_value=value)
    failure = desk.refused_with_any_state(row, "incremental_value", value, *words)
    assert failure["sqlstate"].startswith("22")
    assert desk.bench.state(row).incremental_value == value


def test_a_watermark_of_another_type_of_cursor(desk: Desk) -> None:
    row = desk.bench.row(**(INCREMENTAL | {"incremental_column": "id", "lookback": "0"}))
    assert desk.load(row).status == "Succeeded"
    desk.bench.set(row, incremental_value="one")
    desk.refused(row, "incremental_value", "'one' is not a integer", state="22P02")


def test_a_wrong_password(desk: Desk) -> None:
    desk.bench.source.execute("CREATE ROLE locked LOGIN PASSWORD 'another one'")
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_USER"] = "locked"
    try:
        desk.refused(
            desk.bench.row(),
            "db_config_value.password",
            "refused the login",
            error="SourceRefused",
            state="28P01",
        )
    finally:
        desk.bench.source.execute("DROP ROLE locked")


def test_a_host_that_does_not_answer(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_PORT"] = str(port)
    failure = desk.refused(
        desk.bench.row(),
        "db_config_value.host",
        "cannot be reached",
        error="SourceUnavailable",
        state="08001",
    )
    assert failure["transient"]


def test_a_host_that_nobody_knows(desk: Desk) -> None:
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_HOST"] = "nowhere.invalid"
    desk.refused(
        desk.bench.row(), "db_config_value.host", "nowhere.invalid", error="SourceUnavailable", state="08001"
    )


def test_a_host_that_is_a_url(desk: Desk) -> None:
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_HOST"] = f"postgresql://canary:{CANARY}@db"
    desk.refused(desk.bench.row(), "db_config_value.host", "neither a name nor an address")


def test_a_database_that_is_not_there(desk: Desk) -> None:
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_DATABASE"] = "nothing"
    desk.refused(
        desk.bench.row(), "db_config_value.database", '"nothing"', error="SourceRefused", state="3D000"
    )


def test_a_table_that_vanished(desk: Desk) -> None:
    row = desk.bench.row()
    assert desk.load(row).status == "Succeeded"
    desk.bench.source.execute("DROP TABLE items")
    desk.refused(
        row, "source_table_name", '"public.items" does not exist', error="SourceRefused", state="42P01"
    )
    assert desk.bench.target_rows().total() == 1


def test_a_table_that_the_login_may_not_read(desk: Desk) -> None:
    desk.bench.source.execute("REVOKE ALL ON items FROM canary")
    desk.refused(
        desk.bench.row(), "source_table_name", "permission denied", error="SourceRefused", state="42501"
    )


def test_a_secret_that_does_not_exist(desk: Desk) -> None:
    del desk.secrets["DATALOADER_SECRET_TEST_SHOP_PASSWORD"]
    desk.refused(
        desk.bench.row(),
        "db_config_value.password",
        "Secret 'shop-password' does not exist in scope 'test'",
        "DATALOADER_SECRET_TEST_SHOP_PASSWORD",
    )


def test_a_secret_that_nobody_named(desk: Desk) -> None:
    desk.change_source(db_config_value={"host": "shop-host"})
    desk.refused(desk.bench.row(), "db_config_value.port", "names no secret")


@pytest.mark.parametrize("port", ["", "five", "5432/tcp", "99999", "-1"])
def test_a_port_that_is_no_number(desk: Desk, port: str) -> None:
    desk.secrets["DATALOADER_SECRET_TEST_SHOP_PORT"] = port
    desk.refused(desk.bench.row(), "db_config_value.port", "'shop-port'", "is not a port number")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"socketFactory": "org.evil.Factory"}, "socketFactory"),
        ({"sslmode": "please"}, "sslmode"),
        ({"connect_timeout": "soon"}, "connect_timeout"),
    ],
)
def test_a_connection_option_that_is_not_allowed(desk: Desk, options: dict[str, str], name: str) -> None:
    desk.change_source(connection_options=options)
    desk.refused(desk.bench.row(), f"connection_options.{name}")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT 1 AS id; SELECT 2 AS id", ["holds 2 statements"]),
        ("SELECT * FROM items; DROP TABLE items", ["holds 2 statements"]),
        ("DELETE FROM items RETURNING *", ["is not a SELECT"]),
        ("SELECT * INTO copied FROM items", ["holds INTO"]),
        ("SELECT * FROM items FOR UPDATE", ["holds FOR UPDATE"]),
        ("WITH gone AS (DELETE FROM items RETURNING *) SELECT * FROM gone", ["holds DELETE"]),
        ("WITH new AS (INSERT INTO items VALUES (2) RETURNING *) SELECT * FROM new", ["holds INSERT"]),
        ("SELEKT * FROM items", []),
        ("SELECT * FROM items WHERE (id = 1", ["cannot be parsed"]),
        ("TRUNCATE items", ["is not a SELECT"]),
        ("COPY items TO '/tmp/x'", []),
        (";", ["holds 0 statements"]),
    ],
)
def test_a_query_that_is_more_than_one_select(desk: Desk, query: str, words: list[str]) -> None:
    row = desk.bench.row(source_table_name=None, destination_table_name="items", query=query)
    desk.refused(row, "query", "exactly one SELECT", *words)
    assert desk.bench.source_rows().total() == 1


def test_a_function_that_writes_is_stopped_by_the_source(desk: Desk) -> None:
    desk.bench.source.execute(
        "CREATE FUNCTION grow() RETURNS integer LANGUAGE sql AS 'INSERT INTO items VALUES (9) RETURNING id'"
    )
    row = desk.bench.row(source_table_name=None, destination_table_name="items", query="SELECT grow() AS id")
    desk.refused(row, "query", "would change the source", error="SourceRefused", state="25006")
    assert desk.bench.source_rows().total() == 1


def test_a_query_that_the_source_cannot_run(desk: Desk) -> None:
    row = desk.bench.row(
        source_table_name=None, destination_table_name="items", query="SELECT nothing FROM items"
    )
    desk.refused(row, "query", '"nothing" does not exist', error="SourceRefused", state="42703")


@pytest.mark.parametrize(
    ("columns", "pair"),
    [
        ('"order id" integer, order_id integer', ("'order id'", "'order_id'")),
        ('"Name" text, "NAME" text', ("'Name'", "'NAME'")),
        ('"a;b" integer, "a b" integer', ("'a;b'", "'a b'")),
    ],
)
def test_columns_that_would_share_a_name(desk: Desk, columns: str, pair: tuple[str, str]) -> None:
    desk.bench.source.execute(f"CREATE TABLE twins ({columns})")
    row = desk.bench.row("twins", destination_table_name="items")
    desk.refused(row, "query", *pair, "AS")


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("numeric", "'NaN'", "NaN"),
        ("numeric(10,2)", "'NaN'", "NaN"),
        ("numeric", "1e-19", "0.0000000000000000001"),
        ("numeric(50,2)", "1e40", "1000000"),
        ("date", "'infinity'", "infinity"),
        ("date", "'0044-03-15 BC'", "BC"),
        ("timestamptz", "'-infinity'", "-infinity"),
        ("timestamp", "'20000-01-01'", "20000"),
        ("integer[]", "'[0:1]={1,2}'", "[0:1]"),
    ],
)
def test_a_value_that_the_target_cannot_keep(desk: Desk, kind: str, value: str, shown: str) -> None:
    desk.bench.source.execute(f'CREATE TABLE odd (id integer, "The Value" {kind})')
    desk.bench.source.execute(f"INSERT INTO odd VALUES (1, NULL), (2, {value})")
    row = desk.bench.row("odd", destination_table_name="items")
    failure = desk.refused_with_any_state(row, "The Value", shown, "value_policy", error="ValueRefused")
    assert "string" in failure["fix"]


@pytest.mark.parametrize(
    "table",
    [
        "select",
        "Order Items",
        'we"ird',
        "semi;colon -- and {0} %s",
        "emoji 🦆",
        "ünïcödé",
        "a.b",
        "n" * 63,
        "back`tick",
        "back\\slash'quote",
    ],
)
def test_names_that_need_quoting_are_no_reason_to_refuse(desk: Desk, table: str) -> None:
    name = sql.Identifier(table)
    desk.bench.source.execute(sql.SQL("CREATE TABLE {0} (id integer, {0} text, u timestamptz)").format(name))
    desk.bench.source.execute(
        sql.SQL("INSERT INTO {} VALUES (1, 'x', '2026-01-01 00:00:00+00')").format(name)
    )
    row = desk.bench.row(
        table, **(INCREMENTAL | {"primary_key_cols": f'id,"{table}"', "incremental_column": "u"})
    )
    if '"' in table:
        desk.bench.set(row, primary_key_cols="id")
    for _ in range(2):
        result = desk.load(row)
        assert result.status == "Succeeded", result.message
    expected = desk.bench.source.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
    assert list(desk.bench.target_rows(table)) == expected


def test_a_table_of_such_names_is_loaded_whole_and_in_windows(desk: Desk) -> None:
    names = ["select", 'we"ird', "MixedCase", "Order Date", "duck 🦆", "back`tick", "a.b", "'; --", "x" * 63]
    target = '🦆 `Select` "From" ' + "t" * 110
    assert len(target) == 128
    columns = [sql.SQL("{} text").format(sql.Identifier(name)) for name in names]
    table = sql.Identifier(names[4])
    bench = desk.bench
    bench.source.execute(
        sql.SQL('CREATE TABLE {} ({}, "Upd. at" timestamptz)').format(table, sql.SQL(", ").join(columns))
    )
    add = sql.SQL("INSERT INTO {} VALUES ({})").format(table, sql.SQL(", ").join([sql.Placeholder()] * 10))
    bench.source.execute(add, [*names, "2026-01-01 00:00:00+00"])
    row = bench.row(names[4], destination_table_name=target)
    assert desk.load(row).status == "Succeeded"
    merged = INCREMENTAL | {"primary_key_cols": 'select, "we""ird", duck 🦆', "incremental_column": "upd. AT"}
    bench.set(row, **merged)
    bench.source.execute(sql.SQL("UPDATE {} SET {} = 'new'").format(table, sql.Identifier("a.b")))
    bench.source.execute(add, [*names[:4], "another duck", *names[5:], "2026-01-02 00:00:00+00"])
    result = desk.load(row)
    assert (result.status, result.receipt.rows_inserted, result.receipt.rows_updated) == ("Succeeded", 1, 1)
    found = bench.source.execute(sql.SQL("SELECT * FROM {}").format(table)).fetchall()
    assert sorted(bench.target_rows(target)) == sorted(found)
    held = bench.engine.inspect(bench.target(target), "nobody")
    assert held is not None
    assert list(held.columns) == ["Order_Date" if name == "Order Date" else name for name in names[:4]] + [
        "duck_🦆", *names[5:7], "'__--", names[8], "Upd._at",
    ]  # fmt: skip


def test_two_rows_with_one_destination_are_refused_at_the_edit(desk: Desk) -> None:
    first = desk.bench.row()
    second = desk.bench.row(is_active=False)
    with pytest.raises(ConfigurationError) as caught, transaction(desk.bench.control) as connection:
        connection.execute(
            text("UPDATE control.table_control SET is_active = true WHERE config_id = :id"), {"id": second}
        )
    assert f"active config_id {first}" in caught.value.message
    assert caught.value.field == "destination_table_name"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("column", "value"), [("value_policy", "round"), ("lookback", "soon"), ("null_cursor_policy", "maybe")]
)
def test_a_policy_that_does_not_exist_is_refused_at_the_edit(desk: Desk, column: str, value: str) -> None:
    row = desk.bench.row()
    with pytest.raises(ConfigurationError) as caught, transaction(desk.bench.control) as connection:
        connection.execute(text(f"UPDATE control.table_control SET {column} = '{value}'"))
    assert (caught.value.field, caught.value.sqlstate) == (column, "23514")
    assert f"table_control.{column} cannot have this value" in str(caught.value)
    assert desk.load(row).status == "Succeeded"


def test_a_control_database_that_is_not_there(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = create_engine(f"postgresql://canary:{quote(CANARY, safe='')}@127.0.0.1:{port}/dataloader")
    with pytest.raises(ControlUnavailable) as caught:
        load_locally(away, lambda: desk.context, selector=None)
    assert f"dataloader at 127.0.0.1:{port} cannot be reached" in caught.value.message
    assert caught.value.fix
    assert CANARY not in str(caught.value)
    desk.bench.row()


def test_a_control_database_without_its_schema(desk: Desk) -> None:
    empty = create_engine(desk.bench.server.url(desk.bench.source.info.dbname))
    with pytest.raises(NotMigrated) as caught:
        load_locally(empty, lambda: desk.context, selector=None)
    empty.dispose()
    assert "dataloader db migrate" in str(caught.value.fix)
    desk.bench.row()
