"""What a benchmark of loads stands on: a PostgreSQL server, a control database, a source and engines."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy import insert

from airflow_dataloader.control import migrate
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.tables import dbconfig, table_control
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.engines.spark.server import ConnectServer, server_settings
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.observer import LogObserver, Observer
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.settlement import Result
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

KEYS = ("host", "port", "database", "user", "password")
CORES = 2
HEAP = "2g"


class Stand:
    """Everything in a folder of its own, removed at the end; the warehouse too."""

    def __enter__(self) -> Self:
        """Start the server and fill the control database with one source."""
        with ExitStack() as stack:
            # Not below a private folder: as root, the server runs under another user.
            self.home = Path(tempfile.mkdtemp(prefix="dataloader-bench-"))
            self.home.chmod(0o755)
            stack.callback(shutil.rmtree, self.home, ignore_errors=True)
            jars = Settings.from_environment(os.environ).home / "jars"
            jars.mkdir(parents=True, exist_ok=True)
            (self.home / "jars").symlink_to(jars)
            self.server = stack.enter_context(EmbeddedPostgres(self.home / "postgres", fsync=False))
            for name in ("control", "source"):
                self.server.create_database(name)
            migrate.upgrade(self.server.url("control"), report=lambda _: None)
            self.source_url = self.server.url("source")
            self.source = stack.enter_context(psycopg.connect(self.source_url, autocommit=True))
            self.control_url = self.server.url("control")
            self.control = create_engine(self.control_url)
            stack.callback(self.control.dispose)
            self._add_source()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and remove everything."""
        self._stack.close()

    @property
    def jdbc_url(self) -> str:
        """The source for a bare JDBC reader."""
        return f"jdbc:postgresql://127.0.0.1:{self.server.port}/source"

    @contextmanager
    def classic(self) -> Iterator[Engine]:
        """Run Spark in this process; its JVM ends with the process."""
        with closing(open_engine(EngineSettings(home=self.home, cores=CORES, memory=HEAP))) as engine:
            yield engine

    @contextmanager
    def connect(self, heap: str = HEAP) -> Iterator[tuple[Engine, ConnectServer]]:
        """Run a Spark Connect server, a JVM of its own, and a session at it."""
        settings = server_settings(self.home, cores=CORES, memory=heap)
        with (
            ConnectServer(settings, self.home / "server.log") as server,
            closing(open_engine(EngineSettings(home=self.home, remote=settings.remote))) as engine,
        ):
            yield engine, server

    def context(self, engine: Engine, observer: Observer | None = None) -> LoaderContext:
        """Return a worker as a process makes one."""
        secrets = SecretChain(EnvironmentSecrets(self.secrets))
        return LoaderContext(
            control=self.control, engine=engine, secrets=secrets, observer=observer or LogObserver()
        )

    def row(self, table: str, **columns: Any) -> int:
        """Add an active row for a source table; return its config_id."""
        values = {
            "is_active": True,
            "db_config_key": "bench",
            "source_table_schema": "public",
            "source_table_name": table,
            "destination_table_catalog": "bench",
            "destination_table_schema": "bench",
            "destination_table_name": table,
            "load_strategy": "full",
        }
        statement = insert(table_control).values(values | columns).returning(table_control.c.config_id)
        with self.control.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def claim(self, config_id: int) -> LoadIds:
        """Claim the row now."""
        (claimed,) = claim(self.control, airflow_run=f"bench-{uuid.uuid4().hex}", only=[config_id])
        return LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch)

    def load(self, context: LoaderContext, config_id: int) -> Result:
        """Claim the row and load it."""
        return self.run(context, self.claim(config_id))

    def run(self, context: LoaderContext, ids: LoadIds) -> Result:
        """Load what was claimed; a load that does not succeed ends the benchmark."""
        return succeeded(run_load(context, ids))

    def _add_source(self) -> None:
        values = {
            "db_config_value": {key: key for key in KEYS},
            "db_kv_scope": "bench",
            # More than any benchmark claims before it loads.
            "max_concurrent_loads": 100,
        }
        with self.control.begin() as connection:
            connection.execute(insert(dbconfig).values(db_config_key="bench", db_type="postgresql", **values))

    @property
    def secrets(self) -> dict[str, str]:
        """The source's login, as a process finds it in its environment."""
        values = ("127.0.0.1", str(self.server.port), "source", self.server.user, self.server.password)
        return {
            f"DATALOADER_SECRET_BENCH_{key.upper()}": value for key, value in zip(KEYS, values, strict=True)
        }


def succeeded(result: Result) -> Result:
    """Return the result of a load that succeeded; raise RuntimeError for any other."""
    if result.status is not LoadStatus.SUCCEEDED:
        raise RuntimeError(result.message)
    return result
