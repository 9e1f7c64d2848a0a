"""Claiming ten rows out of a million, also beside a source with a backlog of 100,000 that may not run.

The history holds a load of each row.

Every measured claim is the product's own, its commit included, but without fsync, whose time is the disk's.
Afterwards, unmeasured, the loads are ended and the rows made due again. The cases take turns, round by round,
because a machine that is not one's own is quicker in one minute than in the next; the quickest round's median
is given beside the median of all.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control import migrate
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.transaction import round_trips
from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from benchmarks.report import Figure, report

ROWS = 1_000_000
DUE = 20_000
BACKLOG = 100_000
SOURCES = 50
ROUNDS = 8
#: Claims of a round that are measured, and before them, to fill the caches.
CLAIMS = 30
WARM_UP = 10

_SOURCES = """
INSERT INTO control.table_control_dbconfig (db_config_key, db_config_value, db_type, max_concurrent_loads)
SELECT 'source_' || n, '{"host": "h", "port": "p", "database": "d", "user": "u", "password": "w"}',
    'postgresql', 10
FROM generate_series(0, :sources - 1) n"""

# Rows as wide as real ones; a third of them with a cron, in three priorities.
_ROWS = """
INSERT INTO control.table_control (is_active, db_config_key, source_table_schema, source_table_name,
    destination_table_catalog, destination_table_schema, destination_table_name, load_strategy, load_cron,
    load_timezone, primary_key_cols, incremental_column, priority, owner, tags, next_load_date_time)
SELECT true, 'source_' || n % :sources, 'public', 'table_' || n, 'bronze', 'source_' || n % :sources,
    'table_' || n, 'incremental', CASE WHEN n % 3 = 0 THEN '30 2 * * *' END, 'Europe/Berlin',
    'id, line_number', 'changed_at', n % 3, 'data-platform@example.org', '{daily,shop}',
    CASE WHEN (n / :sources) % (:rows / :due) = 0 THEN now() - n * interval '1 millisecond'
        ELSE now() + interval '1 day' + n * interval '1 second' END
FROM generate_series(1, :rows) n"""

# Each row was loaded once before.
_HISTORY = """
INSERT INTO control.historical_metadata (
    control_key, run_id, load_queued_time, load_start_time, load_end_time,
    source_schema, source_table, target_catalog, target_schema, target_table, load_status, config_id, epoch,
    attempt, trigger, mode, airflow_run, start_nonce, target_version, config_snapshot, receipt)
SELECT control_key, 'run_' || config_id / 10, now(), now(), now(), source_table_schema, source_table_name,
    destination_table_catalog, destination_table_schema, destination_table_name, 'Succeeded', config_id, 0,
    1, 'schedule', 'incremental', 'run_' || config_id / 10, md5(config_id::text), 1,
    control.configuration(t), '{"rows_read": 1000, "snapshot": "exported"}'
FROM control.table_control t"""

# The most urgent of all, and due for an hour.
_BACKLOG = """
INSERT INTO control.table_control (is_active, db_config_key, source_table_schema, source_table_name,
    destination_table_catalog, destination_table_schema, destination_table_name, load_strategy,
    primary_key_cols, incremental_column, priority, next_load_date_time)
SELECT true, 'source_0', 'public', 'backlog_' || n, 'bronze', 'backlog', 'backlog_' || n, 'incremental',
    'id', 'changed_at', 9, now() - interval '1 hour' + n * interval '1 millisecond'
FROM generate_series(1, :backlog) n"""

_LIMIT = """
UPDATE control.table_control_dbconfig SET max_concurrent_loads = :loads,
    paused_until = CASE WHEN :paused THEN timestamptz 'infinity' END
WHERE db_config_key = 'source_0'"""

_OVER = (
    "UPDATE control.historical_metadata SET load_status = 'Failed' WHERE airflow_run = :airflow_run",
    "UPDATE control.table_control SET last_status = 'Failed' WHERE config_id = ANY (:ids)",
    """UPDATE control.table_control SET last_status = NULL, next_load_date_time = now()
    WHERE config_id = ANY (:ids)""",
)


@dataclass
class Case:
    """What stands beside the rows that are claimed, and the milliseconds of each round's claims."""

    name: str
    engine: Engine
    #: Of the backlog's source; None: there is no backlog.
    limit: dict[str, Any] | None = None
    rounds: list[list[float]] = field(default_factory=list)
    trips: int = 0

    def measure(self) -> None:
        """Claim ten rows again and again, for one round."""
        if self.limit is not None:
            run(self.engine, _LIMIT, **self.limit)
        spent = []
        for number in range(WARM_UP + CLAIMS):
            airflow_run = f"{self.name} {len(self.rounds)} {number}"
            before = round_trips(self.engine)
            begun = time.perf_counter()
            claimed = claim(self.engine, airflow_run=airflow_run)
            ended = time.perf_counter()
            assert len(claimed) == 10, len(claimed)
            self.trips = round_trips(self.engine) - before
            if number >= WARM_UP:
                spent.append((ended - begun) * 1000)
            ids = [load.config_id for load in claimed]
            for statement in _OVER:
                run(self.engine, statement, airflow_run=airflow_run, ids=ids)
        self.rounds.append(spent)

    def figures(self) -> list[Figure]:
        """Return the median and the 95th percentile, and the median of the quickest round."""
        spent = [each for one in self.rounds for each in one]
        return [
            Figure(f"{self.name}, p50", statistics.median(spent), "ms"),
            Figure(f"{self.name}, p95", statistics.quantiles(spent, n=100)[94], "ms"),
            Figure(f"{self.name}, p50 of its quickest round", min(map(statistics.median, self.rounds)), "ms"),
            Figure(f"{self.name}, round trips", self.trips, "a claim"),
        ]


def main() -> None:
    """Fill two databases, one of them with a backlog, measure, and report."""
    with databases() as (plain, beside):
        backlog = f"{BACKLOG:,} due rows"
        cases = [
            Case(f"10 of {ROWS:,} rows", plain),
            Case(f"beside {backlog} of a paused source", beside, {"loads": 10, "paused": True}),
            Case(f"beside {backlog} of a source at its limit", beside, {"loads": 1, "paused": False}),
            Case(f"out of {backlog}", beside, {"loads": 1_000, "paused": False}),
        ]
        for _ in range(ROUNDS):
            for case in cases:
                case.measure()
    report("claim", [figure for case in cases for figure in case.figures()])


@contextmanager
def filling(url: str) -> Iterator[Engine]:
    """Yield an engine that waits for an answer as long as a million rows take."""
    engine = create_engine(url, answer_seconds=None)
    try:
        yield engine
    finally:
        engine.dispose()


def fill(engine: Engine) -> None:
    """Write the sources and rows, and have the planner know them."""
    run(engine, _SOURCES, sources=SOURCES)
    run(engine, _ROWS, rows=ROWS, due=DUE, sources=SOURCES)
    run(engine, _HISTORY)
    vacuum(engine)


def hold(engine: Engine) -> None:
    """Have one load of the backlog's source run, which is all that it may."""
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT config_id FROM control.table_control WHERE db_config_key = 'source_0' LIMIT 1")
        )
        config_id = found.scalar_one()
    claim(engine, airflow_run="holds", only=[config_id])


def run(engine: Engine, statement: str, **values: Any) -> None:
    """Run one statement without the product's time limits."""
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def vacuum(engine: Engine) -> None:
    """Do what autovacuum does sooner or later."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE control.table_control, control.historical_metadata"))


@contextmanager
def databases() -> Iterator[tuple[Engine, Engine]]:
    """Start a server with a control database, and its copy with a backlog; remove all at the end."""
    folder = Path(tempfile.mkdtemp(prefix="dataloader-bench-"))
    folder.chmod(0o755)
    try:
        with EmbeddedPostgres(folder / "postgres", fsync=False) as server:
            server.create_database("plain")
            migrate.upgrade(server.url("plain"), report=lambda _: None)
            with filling(server.url("plain")) as engine:
                fill(engine)
            server.create_database("beside", "plain")
            with filling(server.url("beside")) as engine:
                run(engine, _BACKLOG, backlog=BACKLOG)
                vacuum(engine)
            plain, beside = create_engine(server.url("plain")), create_engine(server.url("beside"))
            hold(beside)
            yield plain, beside
            plain.dispose()
            beside.dispose()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
