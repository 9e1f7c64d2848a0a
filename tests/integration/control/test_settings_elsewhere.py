"""What the database or the environment sets for sessions, and what holds in a transaction all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, insert, select, text

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.tables import dbconfig, table_control
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.exceptions import ControlUnavailable
from tests.factories import add_row, add_source
from tests.waiting import until


@pytest.fixture
def setting(control_url: str) -> Callable[[str, str], Engine]:
    """Set something for the database, and return an engine that is connected after that."""

    def set_it(name: str, value: str) -> Engine:
        with psycopg.connect(control_url) as connection:
            database = sql.Identifier(connection.info.dbname)
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(database, sql.Identifier(name), value)
            )
        return create_engine(control_url)

    return set_it


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_who_waited_for_the_lock_sees_what_its_holder_committed(
    control: Engine, setting: Callable[[str, str], Engine], level: str
) -> None:
    engine = setting("default_transaction_isolation", level)
    count = text("SELECT count(*) FROM control.table_control")
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    seen: list[int] = []

    def look() -> None:
        with transaction(engine, lock=7) as connection:
            seen.append(connection.execute(count).scalar_one())

    waiter = threading.Thread(target=look)
    with transaction(engine, lock=7) as holder:
        holder.execute(insert(table_control).values(is_active=False))
        waiter.start()
        until(lambda: holder.execute(waiting).scalar_one())
    waiter.join()
    engine.dispose()
    assert seen == [1]


def test_no_limit_of_the_server_s_own_ends_a_transaction(
    control: Engine, setting: Callable[[str, str], Engine]
) -> None:
    with control.connect() as connection:
        if connection.execute(text("SHOW server_version_num")).scalar_one() < "170000":
            pytest.skip("there is no such limit before PostgreSQL 17")
    engine = setting("transaction_timeout", "200ms")
    with transaction(engine) as connection:
        for _ in range(3):
            connection.execute(text("SELECT pg_sleep(0.1)"))
    # Where somebody sets it all the same, what it ends is said as what it is.
    with pytest.raises(ControlUnavailable, match="is busy"):
        cut_off(engine)
    engine.dispose()


def cut_off(engine: Engine) -> None:
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL transaction_timeout = '50ms'"))
        connection.execute(text("SELECT pg_sleep(5)"))


STYLES = ["German", "SQL, DMY", "SQL, MDY", "Postgres, DMY"]


def claimed_with_an_odd_name(engine: Engine) -> None:
    add_source(engine, paused_until="2020-03-04T05:06:07.5+02:00")
    row = add_row(engine, source_table_name="größe → 大きさ", load_cron="0 3 * * *")
    (load,) = claim(engine, airflow_run="run", only=[row])
    assert load.config["source_table_name"] == "größe → 大きさ"
    with transaction(engine) as connection:
        paused = connection.execute(select(dbconfig.c.paused_until), execution_options=LAST).scalar_one()
    assert paused == datetime(2020, 3, 4, 3, 6, 7, 500000, tzinfo=UTC)
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DateStyle", style) for style in STYLES),
        ("client_encoding", "LATIN1"),
        ("standard_conforming_strings", "off"),
    ],
)
def test_the_database_s_own_forms_do_not_matter(
    setting: Callable[[str, str], Engine], name: str, value: str
) -> None:
    claimed_with_an_odd_name(setting(name, value))


@pytest.mark.parametrize(("name", "value"), [("PGDATESTYLE", "German"), ("PGCLIENTENCODING", "LATIN1")])
def test_nor_do_those_of_the_environment(
    control_url: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    claimed_with_an_odd_name(create_engine(control_url))
