"""What tests of loads through Airflow do over and over, and what must hold after each of them."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psutil
import psycopg
from sqlalchemy import Engine

from airflow_dataloader.control.reap import reap
from airflow_dataloader.core.reaping import ReapLimits
from tests.acceptance.airflow_parts import Airflow
from tests.airflow_stand import Workspace
from tests.bench import Bench
from tests.faults.accident import commits
from tests.faults.items import make_items, row_of
from tests.waiting import eventually

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

#: Seconds until a load through Airflow must be over; the machine may be busy.
PATIENCE = 300.0

#: Password of a connection of Airflow's, and what would say it if anything rendered it.
CANARY = "swordfish-never-to-be-seen"
TEMPLATE = "{{ conn.canary.password }}"

#: Notes each end of a load, and each change of the status of one that had ended.
_RECORD_ENDS = """
CREATE TABLE public.load_end (metadata_id bigint, was text, becomes text);
CREATE FUNCTION public.note_load_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.load_end VALUES (
        NEW.id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.load_status END, NEW.load_status
    );
    RETURN NULL;
END $$;
CREATE TRIGGER note_load_end AFTER UPDATE OF load_status ON control.historical_metadata FOR EACH ROW
WHEN (OLD.load_status IS DISTINCT FROM NEW.load_status AND NEW.load_status NOT IN ('Queued', 'In Progress')
    OR OLD.load_status NOT IN ('Queued', 'In Progress'))
EXECUTE FUNCTION public.note_load_end();
CREATE TRIGGER note_load_born_ended AFTER INSERT ON control.historical_metadata FOR EACH ROW
WHEN (NEW.load_status NOT IN ('Queued', 'In Progress'))
EXECUTE FUNCTION public.note_load_end();
"""


@dataclass(frozen=True)
class Table:
    """A source table and its row, each test's own."""

    stand: Stand
    name: str
    config_id: int

    def loads(self) -> list[Any]:
        """Return the row's loads, oldest first."""
        return self.stand.bench.history(self.config_id)

    @property
    def load(self) -> Any:
        """The newest load."""
        return self.loads()[-1]

    @property
    def run(self) -> str:
        """The Airflow run that first loaded it."""
        return str(self.loads()[0].airflow_run)

    @property
    def map_index(self) -> int:
        """Which of the run's tasks is this table's."""
        same = f"SELECT id FROM control.historical_metadata WHERE airflow_run = '{self.run}' ORDER BY id"
        with self.stand.bench.control.connect() as connection:
            ids = list(connection.exec_driver_sql(same).scalars())
        return ids.index(self.loads()[0].id)

    def task(self) -> dict[str, Any]:
        """Return its task in Airflow."""
        return self.stand.airflow.task(self.run, self.map_index)

    def task_is(self, *states: str | None) -> bool:
        """Say whether its task is in one of these states."""
        return bool(self.loads()) and self.task()["state"] in states

    def target_exists(self) -> bool:
        """Say whether something was published."""
        folder = self.stand.bench.home / "warehouse" / "bronze" / self.stand.bench.schema / self.name
        return any(folder.glob("_delta_log/*.json"))

    @property
    def submitted(self) -> bool:
        """Whether its run is on record."""
        return bool(self.loads()) and self.load.databricks_run is not None

    def strike(self, number: signal.Signals) -> None:
        """Send a signal to its newest loader, and to who waits for that in the workspace."""
        parameter = f"{self.load.id}:{self.load.epoch}"
        told = psutil.process_iter(["cmdline"])
        loader = next(process for process in told if parameter in (process.info["cmdline"] or ()))
        os.killpg(os.getpgid(loader.pid), number)

    def extend_lease(self) -> None:
        """Let its newest load be taken for one that lives for another hour."""
        longer = (
            "UPDATE control.historical_metadata SET lease_until = now() + interval '1 hour' WHERE id = %s"
        )
        with self.stand.bench.control.begin() as connection:
            connection.exec_driver_sql(longer, (self.load.id,))

    def deferred(self) -> None:
        """Wait until its task waits for its run."""
        eventually("deferral", lambda: self.task_is("deferred"), seconds=PATIENCE)

    def started(self) -> None:
        """Wait until its loader runs."""

        def running() -> bool:
            return bool(self.loads()) and self.load.load_status == "In Progress"

        eventually("start", running, seconds=PATIENCE)

    def at_work(self) -> None:
        """Wait until its task waits for its run, and its loader runs."""
        self.deferred()
        self.started()

    def ends_as(self, state: str) -> None:
        """Wait for the end of its task."""
        eventually(f"{self.name} {state}", lambda: self.task_is("success", "failed"), seconds=PATIENCE)
        task = self.task()
        assert task["state"] == state, self.load

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no loader read it meanwhile."""
        with psycopg.connect(
            self.stand.bench.source.info.dsn, password=self.stand.bench.server.password
        ) as own:
            own.execute(f'LOCK TABLE "{self.name}" IN ACCESS EXCLUSIVE MODE')
            yield
            own.rollback()


@dataclass(frozen=True)
class Stand:
    """Airflow, workspace, databases and Spark."""

    airflow: Airflow
    bench: Bench
    workspace: Workspace
    tables: list[Table] = field(default_factory=list)

    def table(self, **overrides: Any) -> Table:
        """Make a table of a hundred rows that is due."""
        name = new_name()
        self.bench.source.execute(f"CREATE TABLE {name} AS SELECT n AS id FROM generate_series(1, 100) n")
        return self._add(name, self.bench.row(name, next_load_date_time=LONG_AGO, **overrides))

    def items(self, strategy: str) -> Table:
        """Make a table of items that is due, to be loaded by a strategy."""
        name = new_name()
        make_items(self.bench, name, rows=200)
        return self._add(name, row_of(self.bench, strategy, table=name, next_load_date_time=LONG_AGO))

    def _add(self, name: str, config_id: int) -> Table:
        with self.bench.control.begin() as connection:
            connection.exec_driver_sql("UPDATE control.table_control_dbconfig SET max_concurrent_loads = 50")
        made = Table(stand=self, name=name, config_id=config_id)
        self.tables.append(made)
        return made

    def check(self) -> None:
        """Insist on what must hold for every table of this test, whatever happened to it."""
        for table in self.tables:
            check(self, table)


def record_ends(control: Engine) -> None:
    """Have a control database keep each end of a load, which its history shows the last of."""
    with control.begin() as connection:
        connection.exec_driver_sql(_RECORD_ENDS)


def new_name() -> str:
    """Return a source table's name that no test has used."""
    return f"t_{uuid4().hex[:12]}"


def run_name(load: Any) -> str:
    """Return the name that a load's run has in the workspace."""
    return f"dataloader load {load.id}"


def check(stand: Stand, table: Table) -> None:
    """Insist that nothing is left behind and nothing was written twice."""
    bench = stand.bench
    reap(bench.control, run_api=None, limits=ReapLimits(startup=0))
    loads = table.loads()
    assert loads, "it was never claimed"
    assert {load.load_status for load in loads} <= {"Succeeded", "Failed", "Cancelled"}, loads
    assert all(load.load_end_time is not None for load in loads)
    with bench.control.connect() as connection:
        ids = ", ".join(str(load.id) for load in loads)
        ends = connection.exec_driver_sql(
            f"SELECT metadata_id, becomes FROM public.load_end WHERE metadata_id IN ({ids})"
        ).all()
    assert sorted(ends) == sorted((load.id, load.load_status) for load in loads), "a load has ended twice"
    state = bench.state(table.config_id)
    assert state.last_status == ("Succeeded" if loads[-1].load_status == "Succeeded" else "Failed")
    ours = [entry["commit"] for entry in commits(bench, table.name)]
    writes = [(one.metadata_id, one.step) for one in ours if one and one.step > 0]
    assert len(writes) == len(set(writes)), "a load has written twice"
    succeeded = {load.id for load in loads if load.load_status == "Succeeded"}
    assert succeeded <= {metadata_id for metadata_id, _ in writes}
    names = Counter(run["run_name"] for run in stand.workspace.runs())
    assert all(names[run_name(load)] <= 1 for load in loads), "a load was submitted twice"
    on_record = [load for load in loads if load.databricks_run is not None]
    assert all(names[run_name(load)] == 1 for load in on_record), "a run on record is none of the workspace's"
    if loads[-1].load_status == "Succeeded":
        assert bench.target_rows(table.name) == bench.source_rows(f"SELECT * FROM {table.name}")
