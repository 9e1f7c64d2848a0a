"""What a benchmark of loads stands on: a PostgreSQL server, a control database, a source and an engine."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from airflow_dataloader.control.claim import claim
from sqlalchemy import insert

from airflow_dataloader.control import migrate
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.tables import dbconfig, table_control
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.session import open_engine
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.settlement import Result
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.postgres import EmbeddedPostgres

KEYS = ("host", "port", "database", "user", "password")


class Stand:
    """Everything in a folder of its own, removed at the end; the warehouse too."""

    def __enter__(self) -> Self:
        """Start the server and the engine."""
        self._stack = ExitStack()
        # Not below a private folder: as root, the server runs under another user.
        self.folder = Path(tempfile.mkdtemp(prefix="dataloader-bench-"))
        self.folder.chmod(0o755)
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.server = self._stack.enter_context(EmbeddedPostgres(self.folder / "postgres", fsync=False))
        for name in ("control", "source"):
            self.server.create_database(name)
        migrate.upgrade(self.server.url("control"), report=lambda _: None)
        self.source_url = self.server.url("source")
        self.source = self._stack.enter_context(psycopg.connect(self.source_url, autocommit=True))
        self.control = create_engine(self.server.url("control"))
        self._stack.callback(self.control.dispose)
        engine = open_engine(Settings.from_environment(os.environ))
        self._stack.callback(engine.close)
        self.schema = f"bench_{uuid.uuid4().hex[:8]}"
        warehouse = Path(os.environ.get("DATALOADER_HOME", Path.home() / ".dataloader")) / "warehouse"
        self._stack.callback(shutil.rmtree, warehouse / "bench" / self.schema, ignore_errors=True)
        secrets = SecretChain(EnvironmentSecrets(self._secrets()))
        self.worker = Worker(control=self.control, engine=engine, secrets=secrets)
        with self.control.begin() as connection:
            values = {"db_config_value": {key: key for key in KEYS}, "db_kv_scope": "bench"}
            connection.execute(insert(dbconfig).values(db_config_key="bench", db_type="postgresql", **values))
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

    def row(self, table: str, **columns: Any) -> int:
        """Add an active row for a source table; return its config_id."""
        values = {
            "is_active": True,
            "db_config_key": "bench",
            "source_table_schema": "public",
            "source_table_name": table,
            "destination_table_catalog": "bench",
            "destination_table_schema": self.schema,
            "destination_table_name": table,
            "load_strategy": "full",
        }
        statement = insert(table_control).values(values | columns).returning(table_control.c.config_id)
        with self.control.begin() as connection:
            return int(connection.execute(statement).scalar_one())

    def load(self, config_id: int) -> Result:
        """Claim the row and load it; a load that does not succeed ends the benchmark."""
        (claimed,) = claim(self.control, airflow_run=f"bench-{uuid.uuid4().hex}", only=[config_id])
        result = run_load(self.worker, LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch))
        if result.status is not LoadStatus.SUCCEEDED:
            raise RuntimeError(result.message)
        return result

    def _secrets(self) -> dict[str, str]:
        values = ("127.0.0.1", str(self.server.port), "source", self.server.user, self.server.password)
        return {
            f"DATALOADER_SECRET_BENCH_{key.upper()}": value for key, value in zip(KEYS, values, strict=True)
        }
