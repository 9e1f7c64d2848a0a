"""The demo's own steps beside a PostgreSQL that is killed, and started again by the supervisor."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from airflow_dataloader.workspace.demo import shop
from airflow_dataloader.workspace.demo.airflow_home import AirflowHome
from airflow_dataloader.workspace.demo.comparison import Comparison
from airflow_dataloader.workspace.demo.hangs import Hangs
from airflow_dataloader.workspace.demo.home import DemoHome
from airflow_dataloader.workspace.demo.postgres_part import PostgresPart
from airflow_dataloader.workspace.demo.row_digest import Digest
from airflow_dataloader.workspace.demo.stack import DemoStack
from airflow_dataloader.workspace.demo.supervisor import Supervisor
from airflow_dataloader.workspace.demo.workspace_part import LocalWorkspace
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from tests.faults.proxy import Fault, Plan, proxied
from tests.integration.workspace.demo.conftest import Told

_PRICE = "SELECT price FROM shop.products WHERE product_id = 10"


@pytest.fixture
def stand() -> Iterator[DemoStack]:
    """A demo of which PostgreSQL alone runs."""
    # PostgreSQL may run as another user, who has to get here.
    home = Path(tempfile.mkdtemp(prefix="dataloader-stand-"))
    home.chmod(0o755)
    folder, told = DemoHome.below(home), Told()
    server = EmbeddedPostgres(folder.postgres, fsync=False)
    supervisor = Supervisor(told.line)
    try:
        supervisor.start(PostgresPart(server))
        shop.create_databases(server)
        yield DemoStack(
            home=folder,
            server=server,
            workspace=LocalWorkspace(folder=folder.folder, port=0, control_url="", logs=folder.logs),
            airflow=AirflowHome(folder=folder.airflow, database_url="", port=0, logs=folder.logs),
            supervisor=supervisor,
            reporter=told,
            hangs=Hangs(set, told.line),
        )
    finally:
        supervisor.stop()
        shutil.rmtree(home)


def kill(stand: DemoStack) -> None:
    pid = (stand.home.postgres / "cluster" / "postmaster.pid").read_text().split()[0]
    os.kill(int(pid), signal.SIGKILL)


def asked(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
        assert row is not None
        return row[0]


def test_what_it_makes_and_changes_is_there_once_though_postgresql_was_killed(stand: DemoStack) -> None:
    kill(stand)
    stand.fill()
    assert asked(stand.server.url(shop.CONTROL), "SELECT count(*) FROM control.table_control") == 7
    kill(stand)
    stand.show().change()
    assert asked(stand.server.url(shop.SHOP), "SELECT count(*) FROM shop.orders") == 153_001
    stand.show().change()
    assert asked(stand.server.url(shop.SHOP), "SELECT count(*) FROM shop.orders") == 153_001
    assert isinstance(stand.reporter, Told)
    assert sum("PostgreSQL server has died" in line for line in stand.reporter.lines) == 2


def test_a_comparison_waits_for_a_source_that_is_killed_before_it(stand: DemoStack) -> None:
    def killing(folders: Sequence[Path]) -> dict[Path, Digest]:
        kill(stand)
        return {}

    comparison = Comparison(
        source_url=stand.server.url(shop.SHOP),
        warehouse=stand.home.warehouse,
        digests=killing,
        pause=stand.pause,
    )
    assert comparison.equal([]) == []


def test_a_script_whose_commit_was_not_answered_runs_once(stand: DemoStack) -> None:
    url = stand.server.url(shop.SHOP)
    with psycopg.connect(url, autocommit=True) as connection:
        shop.run_script(connection, "shop.sql")
    dearer = asked(url, f"SELECT round(({_PRICE}) * 1.05, 2)")
    with proxied(url) as (proxy, between):
        proxy.plan = Plan(fault=Fault.RESET, asked=b"COMMIT")
        with pytest.raises(psycopg.OperationalError):
            shop.run_once(between, "changes.sql")
        assert proxy.met == 1
        proxy.plan = Plan()
        shop.run_once(between, "changes.sql")
    assert asked(url, "SELECT count(*) FROM shop.orders") == 153_001
    assert asked(url, _PRICE) == dearer
