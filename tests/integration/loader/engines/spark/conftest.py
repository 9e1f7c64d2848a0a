"""Every engine test runs through Spark Connect, and in the long run in classic mode, too, in one process.

The engine opens Connect sessions by Connect's own class, so pyspark's process-wide switch stays where it is.
Tests of one mode run together; the other mode's Java idles meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from tests.integration.loader.engines.spark.workshop import Workshop

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.engines.spark.engine import SparkEngine
    from airflow_dataloader.loader.engines.spark.server import ConnectServer
    from tests.conftest import Server


# Classic takes a JVM of its own and as long again: it is for the long run.
@pytest.fixture(scope="session", params=[pytest.param("classic", marks=pytest.mark.faults), "connect"])
def settings(request: pytest.FixtureRequest, home: Path) -> EngineSettings:
    """Both modes, over the same warehouse."""
    if request.param == "classic":
        return EngineSettings(home=home, cores=2)
    server: ConnectServer = request.getfixturevalue("connect_server")
    return EngineSettings(home=home, remote=server.settings.remote)


@pytest.fixture(scope="session")
def engine(settings: EngineSettings) -> Iterator[SparkEngine]:
    """One engine for all tests of a mode, as one process uses it for many loads."""
    with closing(open_engine(settings)) as opened:
        yield opened


@pytest.fixture
def endpoint(postgres: Server, source_db: psycopg.Connection) -> Endpoint:
    """The empty source database of this test."""
    return Endpoint(
        db_type="postgresql",
        host="127.0.0.1",
        port=postgres.port,
        database=source_db.info.dbname,
        user=postgres.user,
        password=postgres.password,
        application_name="engine-test",
    )


@pytest.fixture
def workshop(
    engine: SparkEngine, settings: EngineSettings, endpoint: Endpoint, home: Path
) -> Iterator[Workshop]:
    """Everything that an engine test needs."""
    with ExitStack() as opened:

        def another() -> SparkEngine:
            return opened.enter_context(closing(open_engine(settings)))

        yield Workshop(engine=engine, another=another, endpoint=endpoint, home=home)
