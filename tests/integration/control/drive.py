"""Short words for what tests of the control database do all the time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from airflow_dataloader.control import lease
from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.transaction import transaction
from tests.factories import add_row

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

#: Sessions of this database that wait for a lock.
WAITING = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""

_runs = count(1)


def run_at(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run SQL as somebody who is not this package; return its rows, if it has any."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def sql(engine: Engine, statement: str, **values: Any) -> list[Any]:
    """Run one statement in a transaction of its own; return its rows, if it has any."""
    with engine.begin() as connection:
        found = connection.execute(text(statement), values)
        return list(found.all()) if found.returns_rows else []


def row(engine: Engine, config_id: int) -> dict[str, Any]:
    """Return a row of table_control."""
    return _one(engine, "SELECT * FROM control.table_control WHERE config_id = :id", config_id)


def load(engine: Engine, metadata_id: int) -> dict[str, Any]:
    """Return a row of historical_metadata."""
    return _one(engine, "SELECT * FROM control.historical_metadata WHERE id = :id", metadata_id)


def loads_of(engine: Engine, config_id: int) -> list[dict[str, Any]]:
    """Return a row's loads, oldest first."""
    found = sql(
        engine, "SELECT * FROM control.historical_metadata WHERE config_id = :id ORDER BY id", id=config_id
    )
    return [dict(load._mapping) for load in found]


def edit(engine: Engine, config_id: int, **columns: Any) -> None:
    """Do what a person does: an UPDATE of one row."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    sql(
        engine,
        f"UPDATE control.table_control SET {assignments} WHERE config_id = :id",
        id=config_id,
        **columns,
    )


def edited(engine: Engine, config_id: int, /, **columns: Any) -> None:
    """Do the same in a transaction of ours, whose refusals are explained."""
    assignments = ", ".join(f"{name} = :new_{name}" for name in columns)
    statement = f"UPDATE control.table_control SET {assignments} WHERE config_id = :id"
    with transaction(engine) as connection:
        values = {f"new_{name}": value for name, value in columns.items()}
        connection.execute(text(statement), {"id": config_id, **values})


def repair(engine: Engine, config_id: int, **columns: Any) -> None:
    """Move a row past the rules, as a person may who says so."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL dataloader.repair = 'on'"))
        statement = f"UPDATE control.table_control SET {assignments} WHERE config_id = :id"
        connection.execute(text(statement), {"id": config_id, **columns})


def ago(engine: Engine, metadata_id: int, **seconds: float) -> None:
    """Move times of a load to so many seconds before now, instead of waiting."""
    assignments = ", ".join(
        f"{name} = clock_timestamp() - make_interval(secs => :{name})" for name in seconds
    )
    statement = f"UPDATE control.historical_metadata SET {assignments} WHERE id = :id"
    sql(engine, statement, id=metadata_id, **seconds)


def due_row(engine: Engine, **overrides: Any) -> int:
    """Add a row that is due."""
    return add_row(engine, **({"next_load_date_time": LONG_AGO} | overrides))


def new_run() -> str:
    """Return an Airflow run id that no test has used."""
    return f"run-{next(_runs)}"


def claim_now(engine: Engine, config_id: int, **overrides: Any) -> Claimed:
    """Claim this one row."""
    (claimed,) = claim(engine, airflow_run=new_run(), only=[config_id], **overrides)
    return claimed


def start_now(engine: Engine, config_id: int, nonce: str = "nonce") -> Started:
    """Claim this one row and start its load."""
    claimed = claim_now(engine, config_id)
    return lease.start(engine, claimed.metadata_id, claimed.epoch, nonce=nonce)


def shared_by_threads(engine: Engine, url: str) -> None:
    """Let 32 threads of two claimers want more rows of one source than it bears; insist on each row once."""
    rows = {due_row(engine) for _ in range(150)}
    engines = [create_engine(url), create_engine(url)]

    def take(number: int) -> list[int]:
        claimed = claim(engines[number % 2], airflow_run=f"run-{number}", batch_size=5, max_concurrent=1000)
        return [load.config_id for load in claimed]

    with ThreadPoolExecutor(32) as pool:
        taken = Counter(config_id for ids in pool.map(take, range(40)) for config_id in ids)
    for each in engines:
        each.dispose()
    assert set(taken) <= rows
    assert len(taken) == 100, "a source bears 100 loads at once"
    assert set(taken.values()) == {1}
    assert sql(engine, "SELECT count(*), count(DISTINCT config_id) FROM control.historical_metadata") == [
        (100, 100)
    ]


def _one(engine: Engine, statement: str, wanted: int) -> dict[str, Any]:
    (found,) = sql(engine, statement, id=wanted)
    return dict(found._mapping)
