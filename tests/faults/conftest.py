"""Servers that a test may stop, and what stands on them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from tests.bench import Bench
from tests.conftest import Server
from tests.faults.figures import Figures
from tests.faults.kill_matrix import KILLS, PAGE, PROPERTY, Kill, page
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from airflow_dataloader.loader.engines.spark.engine import SparkEngine
    from airflow_dataloader.loader.engines.spark.server import ConnectServer


_killed: set[Kill] = set()
_figures = Figures()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count; remember the loads that were killed, and after which all was well."""
    _figures.add(report)
    if report.when == "call" and report.passed:
        _killed.update(Kill(*values) for name, values in report.user_properties if name == PROPERTY)


def pytest_sessionfinish() -> None:
    """Write the page of the kill matrix, if all of it was gone through."""
    if _killed.issuperset(KILLS):
        PAGE.write_text(page(_killed))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures of the matrix, when it was asked for."""
    if not config.getoption("markexpr").startswith("faults"):
        return
    terminalreporter.section("faults")
    for line in _figures.lines():
        terminalreporter.write_line(line)
    terminalreporter.write_line(
        f"{len(_killed)} of {len(KILLS)} loads of the kill matrix were killed, and all was well afterwards"
    )


@pytest.fixture(scope="session")
def _spare() -> Iterator[Server]:
    home = Path(tempfile.mkdtemp(prefix="dataloader-faults-"))
    home.chmod(0o755)
    server = Server(home / "postgres", fsync=False)
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture
def spare(_spare: Server) -> Server:
    """A second PostgreSQL server, running at the beginning of every test."""
    _spare.start()
    return _spare


@pytest.fixture
def spare_control(spare: Server) -> Iterator[Engine]:
    """A control database on the spare server."""
    name = f"control_{uuid4().hex}"
    spare.create(name)
    migrate.upgrade(spare.url(name), report=lambda _: None)
    control = create_engine(spare.url(name))
    yield control
    control.dispose()


@pytest.fixture
def away_control(
    spare_control: Engine,
    source_db: psycopg.Connection,
    connect_engine: SparkEngine,
    connect_server: ConnectServer,
    postgres: Server,
    home: Path,
) -> Bench:
    """A bench whose control database is on the spare server, and its source is not."""
    return Bench(
        control=spare_control,
        source=source_db,
        engine=connect_engine,
        server=postgres,
        home=home,
        remote=connect_server.settings.remote,
    )


@pytest.fixture
def away_source(bench: Bench, spare: Server) -> Iterator[Bench]:
    """A bench whose source is on the spare server, and its control database is not."""
    name = f"source_{uuid4().hex}"
    spare.create(name)
    bench.source = psycopg.connect(spare.url(name), autocommit=True)
    bench.server = spare
    yield bench
    bench.source.close()


@pytest.fixture
def proxy(bench: Bench, postgres: Server) -> Iterator[Proxy]:
    """A proxy before the bench's source; the test's own connection goes past it."""
    with Proxy(postgres.port) as between:
        bench.server = SimpleNamespace(
            port=between.port, user=postgres.user, password=postgres.password, url=postgres.url
        )
        yield between
