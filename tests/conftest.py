"""One real PostgreSQL server a test session, and a database of its own for every test that asks."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import settings

from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy

    from airflow_dataloader.loader.engines.spark.engine import SparkEngine
    from airflow_dataloader.loader.engines.spark.server import ConnectServer
    from tests.airflow_db import Connections
    from tests.bench import Bench

# Spark's classic mode forks this process, and gRPC, once Connect has used it, does not survive in the child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
_AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="dataloader-airflow-"))

# Airflow reads these when it is first imported, and some of them then only.
os.environ.update(
    AIRFLOW_HOME=str(_AIRFLOW_HOME),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_AIRFLOW_HOME}/airflow.db",
    # Deferred tasks are held back for five seconds less.
    AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="0",
)
atexit.register(shutil.rmtree, _AIRFLOW_HOME, ignore_errors=True)

# How long an example takes says more about the machine than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Spark that tests share compile its plans, as it does for users."""
    parser.addoption("--compiled", action="store_true", help="compile Spark's plans: slower")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail what is skipped because this machine lacks something, where nothing may be lacking."""
    report = yield
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else ""
    if os.environ.get("CI") and reason.startswith("Skipped: needs "):
        report.outcome = "failed"
        report.longrepr = f"{reason.removeprefix('Skipped: ')}, and CI must have it"
    return report


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Leave the loggers as they were: the command line sets levels and handlers for its whole process."""
    root, ours = logging.getLogger(), logging.getLogger("airflow_dataloader")
    level, handlers = ours.level, list(root.handlers)
    yield
    ours.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)


class Server(EmbeddedPostgres):
    """The session's server, with the short names that tests use."""

    def create(self, name: str, template: str | None = None) -> None:
        """Create a database."""
        self.create_database(name, template)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        self.drop_database(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Run a server; a test that stops it must start it again."""
    # Not pytest's own folder: where root runs the server as another user, that user must get there.
    home = Path(tempfile.mkdtemp(prefix="dataloader-tests-"))
    home.chmod(0o755)
    # Another version than the wheel's, where somebody has one and asks for it.
    programs = os.environ.get("DATALOADER_TEST_POSTGRES")
    server = Server(
        home / "postgres", fsync=False, max_connections=200, binaries=Path(programs) if programs else None
    )
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def control_template(postgres: Server) -> str:
    """Name of a migrated control database that tests copy and never touch."""
    from airflow_dataloader.control import migrate

    name = "control_template"
    postgres.create(name)
    migrate.upgrade(postgres.url(name), report=lambda _: None)
    return name


@pytest.fixture
def control_url(postgres: Server, control_template: str) -> Iterator[str]:
    """URL of a control database of this test's own, migrated and empty."""
    name = f"control_{uuid4().hex}"
    postgres.create(name, control_template)
    yield postgres.url(name)
    _drop(postgres, name)


@pytest.fixture
def control(control_url: str) -> Iterator[sqlalchemy.Engine]:
    """Engine of a control database of this test's own, as the product opens it."""
    from airflow_dataloader.control.connect import create_engine

    engine = create_engine(control_url)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_url(postgres: Server) -> Iterator[str]:
    """URL of an empty database of this test's own, without our schema."""
    name = f"empty_{uuid4().hex}"
    postgres.create(name)
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def source_db(postgres: Server) -> Iterator[psycopg.Connection]:
    """Autocommit connection to an empty source database of this test's own."""
    import psycopg

    name = f"source_{uuid4().hex}"
    postgres.create(name)
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        yield connection
    _drop(postgres, name)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATALOADER_HOME whose jars are this machine's and whose warehouse is the tests' own."""
    folder = tmp_path_factory.mktemp("home")
    jars = Settings.from_environment(os.environ).home / "jars"
    jars.mkdir(parents=True, exist_ok=True)
    (folder / "jars").symlink_to(jars)
    return folder


@pytest.fixture(scope="session")
def connect_server(home: Path, pytestconfig: pytest.Config) -> Iterator[ConnectServer]:
    """One warm Spark Connect server for all tests; a test that kills a server starts its own."""
    from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings

    server = ConnectServer(server_settings(home, cores=2), home / "server.log")
    with pytest.MonkeyPatch.context() as environment:
        if not pytestconfig.getoption("compiled"):
            environment.setenv("SPARK_CONF_DIR", str(Path(__file__).with_name("interpreted")))
        server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def connect_engine(home: Path, connect_server: ConnectServer) -> Iterator[SparkEngine]:
    """One Spark Connect session, used by load after load."""
    from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine

    with closing(open_engine(EngineSettings(home=home, remote=connect_server.settings.remote))) as engine:
        yield engine


@pytest.fixture
def bench(
    control: sqlalchemy.Engine,
    control_url: str,
    source_db: psycopg.Connection,
    connect_engine: SparkEngine,
    connect_server: ConnectServer,
    postgres: Server,
    home: Path,
) -> Bench:
    """Everything that a load needs, with a source called ``shop``."""
    from tests.bench import Bench

    return Bench(
        control=control,
        control_url=control_url,
        source=source_db,
        engine=connect_engine,
        server=postgres,
        home=home,
        remote=connect_server.settings.remote,
    )


@pytest.fixture(scope="session")
def airflow_db(postgres: Server) -> str:
    """URL of Airflow's metadata database, for tests that run a DAG in their own process."""
    from tests.airflow_db import set_up

    postgres.create("airflow")
    set_up(postgres.url("airflow"))
    return postgres.url("airflow")


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Airflow connections of this test's own."""
    from tests.airflow_db import Connections

    return Connections(monkeypatch)


def _drop(postgres: Server, name: str) -> None:
    # A test that stopped the server and failed before starting it again must not break all that follow.
    postgres.start()
    postgres.drop(name)
