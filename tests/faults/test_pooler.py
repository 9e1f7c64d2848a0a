"""A transaction pooler before the control database: nothing is asked of a session, nothing left in one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import migrate
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench
from tests.conftest import Server
from tests.factories import add_source
from tests.faults.accident import healthy, kill_at
from tests.faults.items import change_items, loaded_and_changed, make_items
from tests.faults.pooler import SIZE, Pooler, pooling
from tests.integration.control.drive import shared_by_threads
from tests.integration.control.test_lifecycle import drive

pytestmark = pytest.mark.faults

#: What a session could hold that its next owner would stumble over. PgBouncer itself keeps the settings that
#: a client names when it connects.
_LEFT_BEHIND = """
SELECT 'setting ' || name FROM pg_settings WHERE source = 'session'
    AND name NOT IN
        ('application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings')
UNION ALL SELECT 'statement ' || statement FROM pg_prepared_statements
UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
UNION ALL SELECT 'channel ' || pg_listening_channels()
UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)
UNION ALL SELECT 'repair' WHERE current_setting('dataloader.repair', true) <> ''
"""


@pytest.fixture(scope="module")
def pooler(postgres: Server) -> Iterator[Pooler]:
    with pooling(postgres) as running:
        yield running


@pytest.fixture
def direct_url(control_url: str) -> str:
    return control_url


@pytest.fixture
def control_url(control_url: str, pooler: Pooler) -> Iterator[str]:
    """The control database through the pooler, for everything in this file; nothing may be left of it."""
    url = pooler.url(control_url)
    yield url
    assert held(url) == []


@contextmanager
def sessions(url: str) -> Iterator[list[psycopg.Connection]]:
    """Yield a connection to each of the pooler's sessions at the server, in a transaction that keeps it."""
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(url, prepare_threshold=None)) for _ in range(SIZE)]
        backends = {client.execute("SELECT pg_backend_pid()").fetchone() for client in clients}
        assert len(backends) == SIZE
        yield clients


def held(url: str) -> list[str]:
    """Return what the pooler's sessions hold."""
    with sessions(url) as clients:
        return [what for client in clients for (what,) in client.execute(_LEFT_BEHIND)]


def test_it_pools_transactions(pooler: Pooler) -> None:
    said = {row["key"]: row["value"] for row in pooler.show("CONFIG")}
    assert (said["pool_mode"], said["default_pool_size"]) == ("transaction", str(SIZE))


def test_what_a_session_holds_would_be_seen(control_url: str) -> None:
    with psycopg.connect(control_url, autocommit=True) as careless:
        for statement in ("SET statement_timeout = '7s'", "SELECT pg_advisory_lock(1)", "LISTEN somewhere"):
            careless.execute(statement)
    assert {what.split()[0] for what in held(control_url)} == {"setting", "lock", "channel"}
    with sessions(control_url) as clients:
        for client in clients:
            client.execute("RESET statement_timeout")
            client.execute("SELECT pg_advisory_unlock_all()")
            client.execute("UNLISTEN *")


def test_a_direct_migration_is_seen_and_needs_no_other(direct_url: str, control_url: str) -> None:
    migrate.upgrade(direct_url, report=lambda _: None)
    assert migrate.status(control_url).pending == ()


def test_loads_in_any_order(control: Engine) -> None:
    drive(control, 30)


def test_32_threads_claim_each_row_once(control: Engine, control_url: str) -> None:
    add_source(control, "shop", max_concurrent_loads=100)
    shared_by_threads(control, control_url)


def test_a_killed_load_is_adopted(bench: Bench, control_url: str) -> None:
    row = loaded_and_changed(bench, "incremental")
    kill_at(bench, control_url, row, Moment.PUBLISHED)
    change_items(bench, 2)
    assert bench.succeed(row).receipt.fence_version is not None
    healthy(bench, row)


def test_the_command_loads_what_is_due(bench: Bench, control_url: str) -> None:
    for number in range(3):
        make_items(bench, f"items_{number}")
    due = "2020-01-01 00:00:00+00"
    rows = [bench.row(f"items_{number}", next_load_date_time=due) for number in range(3)]
    ended = subprocess.run(
        [Path(sys.executable).with_name("dataloader"), "load", "--local"],
        env={
            **os.environ,
            **bench.secret_environment,
            "DATALOADER_CONTROL_URL": control_url,
            "DATALOADER_HOME": str(bench.home),
            "SPARK_REMOTE": bench.remote,
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {bench.state(row).last_status for row in rows} == {"Succeeded"}
    for number in range(3):
        table = f"items_{number}"
        assert bench.target_rows(table) == bench.source_rows(f"SELECT * FROM {table}")


def test_many_more_loaders_than_sessions(bench: Bench, control_url: str) -> None:
    """Each has a heartbeat of its own beside what it asks."""
    for number in range(4):
        make_items(bench, f"items_{number}", rows=100)
    rows = [bench.row(f"items_{number}") for number in range(4)]
    with ThreadPoolExecutor(len(rows)) as pool:
        results = list(pool.map(bench.load, rows))
    assert [result.status for result in results] == ["Succeeded"] * len(rows), results
