"""A table of 1,000 rows through Airflow, one DAG run after the other on a warm stand: where the time goes.

From the run's trigger through Airflow's REST API to the end of the run. Moments are those of this machine's
clock, as Airflow, the control database and the workspace have written them down.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.demo import shop
from airflow_dataloader.workspace.demo.ports import Ports
from airflow_dataloader.workspace.demo.stack import DAG, DemoStack, running
from benchmarks.report import Figure, report

ROWS = 1_000
RUNS = 12
WARM_UP = 2
PATIENCE = 120.0

_TABLE = f"""
CREATE TABLE shop.items (id integer PRIMARY KEY, name text, price numeric(10,2));
INSERT INTO shop.items SELECT i, 'item ' || i, i / 4.0 FROM generate_series(1, {ROWS}) AS i;"""

#: The only row that is ever due.
_ROW = """
UPDATE control.table_control SET is_active = false;
INSERT INTO control.table_control (is_active, db_config_key, source_table_schema, source_table_name,
    destination_table_catalog, destination_table_schema, destination_table_name, load_strategy)
VALUES (true, 'shop', 'shop', 'items', 'bench', 'shop', 'items', 'full');"""

_DUE = "UPDATE control.table_control SET next_load_date_time = now() WHERE is_active"

_LOAD = """
SELECT load_status, load_queued_time, load_start_time, load_end_time, databricks_run
FROM control.historical_metadata WHERE airflow_run = %s"""


class Silent:
    """Says nothing about a stand's start."""

    def line(self, text: str) -> None:
        """Say nothing."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def now(self, text: str) -> None:
        """Say nothing."""


def main() -> None:
    """Start everything, run, and report the medians."""
    home = Path(tempfile.mkdtemp(prefix="dataloader-bench-"))
    home.chmod(0o755)
    jars = Settings.from_environment(os.environ).home / "jars"
    (home / "jars").symlink_to(jars)
    try:
        with running(home, Ports(), Silent()) as stand:
            runs = measured(stand)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report("through_airflow", figures_of(runs))


def measured(stand: DemoStack) -> list[dict[str, float]]:
    """Load the table again and again; return the seconds of each part of each run."""
    for database, script in ((shop.SHOP, _TABLE), (shop.CONTROL, _ROW)):
        with psycopg.connect(stand.server.url(database), autocommit=True) as connection:
            connection.execute(script.encode())
    with psycopg.connect(stand.server.url(shop.CONTROL), autocommit=True, row_factory=dict_row) as control:
        runs: list[dict[str, float]] = []
        while len(runs) < WARM_UP + RUNS:
            run = one_run(stand, control)
            runs += [run] if run else []
        return runs[WARM_UP:]


def one_run(stand: DemoStack, control: psycopg.Connection[dict[str, Any]]) -> dict[str, float] | None:
    """Have the row loaded once; return the seconds between one moment and the next.

    None: a run of the schedule took the row before ours.
    """
    control.execute(_DUE)
    begun = datetime.now(UTC)
    run = stand.api.run(DAG)
    until = time.monotonic() + PATIENCE
    while (dag_run := stand.api.ask("GET", f"/dags/{DAG}/dagRuns/{run}"))["state"] in {"queued", "running"}:
        assert time.monotonic() < until, f"run {run} takes more than {PATIENCE:.0f} s"
        time.sleep(0.1)
    load = control.execute(_LOAD, (run,)).fetchone()
    if load is None:
        return None
    assert load["load_status"] == "Succeeded", load
    at = {
        "Airflow starts the run": datetime.fromisoformat(dag_run["start_date"]),
        "claimed": load["load_queued_time"],
        "submitted": submitted(stand, load["databricks_run"]),
        "loader started": load["load_start_time"],
        "settled": load["load_end_time"],
        "Airflow ends the run": datetime.fromisoformat(dag_run["end_date"]),
    }
    return parts(begun, at)


def submitted(stand: DemoStack, databricks_run: str) -> datetime:
    """Return when the workspace took the run."""
    client = stand.workspace.client
    headers = {"Authorization": f"Bearer {client.token}"}
    with httpx.Client(base_url=client.url, headers=headers, timeout=PATIENCE, trust_env=False) as http:
        answer = http.get("/api/2.2/jobs/runs/get", params={"run_id": databricks_run}).raise_for_status()
    return datetime.fromtimestamp(answer.json()["start_time"] / 1000, UTC)


def parts(begun: datetime, at: Mapping[str, datetime]) -> dict[str, float]:
    """Return the seconds from each moment to the next, by the name of the later one."""
    moments = [begun, *at.values()]
    return {
        name: (moment - before).total_seconds()
        for name, moment, before in zip(at, moments[1:], moments, strict=False)
    }


def figures_of(runs: list[dict[str, float]]) -> list[Figure]:
    """Return the whole's median and 95th percentile, then each part's median and share."""
    totals = [sum(run.values()) for run in runs]
    middle = statistics.median(totals)
    figures = [
        Figure(f"trigger to end, p50 of {len(runs)}", middle, "s"),
        Figure("trigger to end, p95", statistics.quantiles(totals, n=20)[-1], "s"),
    ]
    for name in runs[0]:
        value = statistics.median(run[name] for run in runs)
        figures.append(Figure(f"until {name}", value, "s", ratio_to=("p50", value / middle)))
    return figures


if __name__ == "__main__":
    main()
