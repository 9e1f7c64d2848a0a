"""What loader tests do over and over: make a source table and its row, load it, look at both ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import func, select, text, update

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.tables import backfill, historical_metadata, load_chunk, table_control
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.engines.protocol import Engine, Target
from airflow_dataloader.loader.engines.spark.engine import SparkEngine
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import LogObserver, Observer
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.secrets import EnvironmentSecrets, SecretChain
from airflow_dataloader.loader.settlement import Result
from tests.factories import add_row, add_source

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Engine as ControlEngine

    from tests.conftest import Server


@dataclass
class Bench:
    """One control database, one source database, one engine."""

    control: ControlEngine
    source: psycopg.Connection
    engine: Engine
    server: Server
    #: DATALOADER_HOME, with the warehouse that the engine writes to.
    home: Path
    #: ``SPARK_REMOTE`` for processes of their own; empty: each starts its own Spark.
    remote: str = ""
    #: The control database, for processes of their own.
    control_url: str = ""
    observer: Observer = field(default_factory=LogObserver)
    #: Each test writes to a schema of its own: the warehouse is shared by the session.
    schema: str = field(default_factory=lambda: f"s_{uuid4().hex[:12]}")

    def __post_init__(self) -> None:
        add_source(self.control)

    @property
    def login(self) -> dict[str, str]:
        """The source's login, by the names that follow ``shop-`` in the secret scope ``test``."""
        return {
            "host": "127.0.0.1",
            "port": str(self.server.port),
            "database": self.source.info.dbname,
            "user": self.server.user,
            "password": self.server.password,
        }

    @property
    def secret_environment(self) -> dict[str, str]:
        """The source's login, as a process finds it in its environment."""
        return {f"DATALOADER_SECRET_TEST_SHOP_{name.upper()}": value for name, value in self.login.items()}

    @property
    def context(self) -> LoaderContext:
        """A worker as a process makes one."""
        return LoaderContext(
            control=self.control,
            engine=self.engine,
            secrets=SecretChain(EnvironmentSecrets(self.secret_environment)),
            observer=self.observer,
            times=LeaseTimes(beat=0.5),
        )

    def make_scan_due(self, config_id: int) -> None:
        """Have the row's next load look for deleted rows."""
        self.set(config_id, next_delete_scan=datetime(2020, 1, 1, tzinfo=UTC))

    def row(self, table: str = "items", **overrides: Any) -> int:
        """Add an active row for the source table, target of the same name in this test's schema."""
        values = {
            "source_table_name": table,
            "destination_table_schema": self.schema,
            "destination_table_name": table,
        }
        return add_row(self.control, **(values | overrides))

    def set(self, config_id: int, **values: Any) -> None:
        """Change columns of a row, as a person would."""
        with self.control.begin() as connection:
            connection.execute(
                update(table_control).where(table_control.c.config_id == config_id).values(**values)
            )

    def claim(self, config_id: int) -> LoadIds:
        """Claim the row now, as whoever asks for it."""
        (claimed,) = claim(
            self.control, airflow_run=f"test-{uuid4().hex}", only=[config_id], trigger=Trigger.MANUAL
        )
        return LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch)

    def load_at_slot(self, config_id: int) -> Result:
        """Let the row become due, alone, and load it."""
        self.set(config_id, next_load_date_time=datetime(2020, 1, 1, tzinfo=UTC))
        (claimed,) = claim(self.control, airflow_run=f"test-{uuid4().hex}")
        assert claimed.config_id == config_id
        return run_load(self.context, LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch))

    def load(self, config_id: int) -> Result:
        """Claim the row now and load it."""
        return run_load(self.context, self.claim(config_id))

    def succeed(self, config_id: int) -> Result:
        """Load the row and insist on success."""
        result = self.load(config_id)
        assert result.status is LoadStatus.SUCCEEDED, result.message
        return result

    def fail(self, config_id: int) -> Result:
        """Load the row and insist on an orderly failure."""
        result = self.load(config_id)
        assert result.status is LoadStatus.FAILED, result
        return result

    def state(self, config_id: int) -> Any:
        """Return the control row."""
        statement = select(table_control).where(table_control.c.config_id == config_id)
        with self.control.begin() as connection:
            return connection.execute(statement).one()

    def history(self, config_id: int) -> list[Any]:
        """Return the row's loads, oldest first."""
        table = historical_metadata
        statement = select(table).where(table.c.config_id == config_id).order_by(table.c.id)
        with self.control.begin() as connection:
            return list(connection.execute(statement))

    def chunks(self, config_id: int) -> list[Any]:
        """Return the chunks of the row's newest backfill, in their order."""
        newest = select(func.max(backfill.c.id)).where(backfill.c.config_id == config_id)
        statement = select(load_chunk).where(load_chunk.c.backfill_id == newest.scalar_subquery())
        with self.control.begin() as connection:
            return list(connection.execute(statement.order_by(load_chunk.c.number)))

    def target(self, table: str = "items") -> TargetName:
        """Return the target's name."""
        return TargetName(catalog="bronze", schema=self.schema, table=table)

    def found(self, table: str = "items") -> Target:
        """Return the target as it stands."""
        found = self.engine.inspect(self.target(table), "nobody")
        assert found is not None
        return found

    def spark_sql(self, statement: str, table: str = "items") -> list[Any]:
        """Run a statement of somebody else's in the engine's session; ``{t}`` in it is the target."""
        assert isinstance(self.engine, SparkEngine)
        context = self.engine._context
        return context.spark.sql(statement.format(t=context.names.locate(self.target(table)).sql)).collect()

    def target_rows(self, table: str = "items") -> Counter[tuple[Any, ...]]:
        """Return the target's rows, with multiplicity."""
        return Counter(tuple(row) for row in self.engine.rows(self.target(table)))

    def source_rows(self, query: str = "SELECT * FROM items") -> Counter[tuple[Any, ...]]:
        """Return the source's rows, with multiplicity."""
        return Counter(self.source.execute(query).fetchall())

    @property
    def installation(self) -> str:
        """The control database's own id."""
        with self.control.begin() as connection:
            return str(connection.execute(text("SELECT id FROM control.installation")).scalar_one())

    def stages(self) -> list[str]:
        """Return the staging tables left in this test's schema."""
        folder = self.home / "warehouse" / "bronze" / self.schema
        return [path.name for path in folder.glob("_adl_stage_*")]

    def give_up(self) -> None:
        """Reap what is due, without asking anybody whether it still runs."""
        reap(self.control, run_api=None, limits=ReapLimits(startup=0))

    def pretend_lease_ended(self, config_id: int) -> None:
        """Move the row's live load so far into the past that reap may give it up."""
        with self.control.begin() as connection:
            connection.execute(
                text(
                    "UPDATE control.historical_metadata SET lease_until = now() - interval '1 hour', "
                    "progress_at = now() - interval '1 hour' "
                    "WHERE config_id = :id AND load_end_time IS NULL"
                ),
                {"id": config_id},
            )
