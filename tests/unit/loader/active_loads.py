"""A load whose tools are small objects that remember what they hold, for tests of one building block."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper, LeaseTimes
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.sources.registry import dialect_of

SNAPSHOT = {
    "config_id": 7,
    "db_config_key": "shop",
    "db_type": "postgresql",
    "db_config_value": {key: key for key in ("host", "port", "database", "user", "password")},
    "source_table_schema": "public",
    "source_table_name": "items",
    "target_catalog": "bronze",
    "target_schema": "shop",
    "target_table": "items",
    "load_strategy": "incremental",
    "primary_key_cols": "id",
    "incremental_column": "updated_at",
    "max_runtime_minutes": 180,
}


class Moments:
    """An observer that keeps the moments."""

    def __init__(self) -> None:
        self.seen: list[Moment] = []

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        self.seen.append(moment)


class Answers:
    """A source session that answers each query with the next of the given results."""

    endpoint = Endpoint(db_type="postgresql", host="h", port=5432, database="d", user="u", password="hunter2")

    def __init__(self, *results: Sequence[tuple[Any, ...]]) -> None:
        self._results = list(results)
        self.asked: list[str] = []

    def query(self, sql: str) -> Sequence[tuple[Any, ...]]:
        self.asked.append(sql)
        return self._results.pop(0)

    def query_beside(self, init: str, sql: str) -> Sequence[tuple[Any, ...]]:
        self.asked.append(init)
        return self.query(sql)


def keeper(*, lost: bool = False) -> LeaseKeeper:
    """A keeper that nobody started; ``lost``: its lease is over."""
    times = LeaseTimes(lease=0, grace=0, margin=1) if lost else LeaseTimes()
    return LeaseKeeper(lambda _: None, progressed=lambda: True, on_lost=lambda: None, times=times)


def target(*, filled: bool) -> Target:
    """A target of one column as a load finds it."""
    return Target(version=3, columns={"id": "int"}, commits=(), filled=filled, continuous=True)


def active_load(
    *, engine: Any = None, session: Any = None, lost: bool = False, **snapshot: Any
) -> ActiveLoad:
    """A load of one incremental row; keywords override the snapshot's columns."""
    config = LoadConfig.from_snapshot(SNAPSHOT | snapshot)
    started = Started(
        metadata_id=41,
        config_id=7,
        epoch=3,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        installation="f" * 32,
        config=config,
        uncertain=(),
        nonce="n",
        last_receipt=None,
        last_was_here=False,
        published_epoch=None,
        published_failed=False,
    )
    return ActiveLoad(
        started=started,
        control=cast("Any", None),
        engine=engine,
        session=cast("Any", session or Answers()),
        dialect=dialect_of("postgresql"),
        keeper=keeper(lost=lost),
        journal=Journal(),
        observer=Moments(),
    )
