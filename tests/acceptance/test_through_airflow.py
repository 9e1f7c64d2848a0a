"""Loads through Airflow's own processes, and what becomes of them when a process or a person interferes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from airflow_dataloader.control.claim import _LOCK as CLAIM_LOCK
from tests.acceptance.through_airflow import CANARY, LONG_AGO, PATIENCE, TEMPLATE, Stand, Table, run_name
from tests.airflow_stand import WorkspaceProcess
from tests.faults.items import change_items
from tests.faults.kill_matrix import STRATEGIES
from tests.faults.proxy import Fault, Plan, Proxy
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Server

pytestmark = pytest.mark.timeout(1_500)


@pytest.fixture(autouse=True)
def _checked(stand: Stand) -> Iterator[None]:
    """Look at every table of a test when it is over."""
    yield
    stand.check()


def test_a_triggerer_that_is_killed_is_replaced_and_nothing_is_lost(stand: Stand) -> None:
    tables = [stand.table() for _ in range(5)]
    with ExitStack() as held:
        for table in tables:
            held.enter_context(table.held())
        stand.airflow.run()
        for table in tables:
            table.deferred()
        stand.airflow.kill("triggerer")
        stand.airflow.begin("triggerer")
    for table in tables:
        table.ends_as("success")
        assert len(table.loads()) == 1
        assert table.task()["try_number"] == 1


def test_every_strategy_loads_its_table_and_then_what_changed(stand: Stand) -> None:
    tables = {strategy: stand.items(strategy) for strategy in STRATEGIES}
    stand.airflow.run()
    for table in tables.values():
        table.ends_as("success")
    stand.check()
    for strategy, table in tables.items():
        change_items(stand.bench, 1, table.name, strategy=strategy)
        stand.bench.set(table.config_id, next_load_date_time=LONG_AGO)
    stand.airflow.run()
    for table in tables.values():
        eventually("a second load", lambda one=table: len(one.loads()) == 2, seconds=PATIENCE)
        eventually("its end", lambda one=table: one.load.load_end_time is not None, seconds=PATIENCE)
    assert {name: table.load.load_status for name, table in tables.items()} == dict.fromkeys(
        tables, "Succeeded"
    )
    backfilled = tables["chunked_backfill"]
    assert stand.bench.state(backfilled.config_id).load_strategy == "incremental"


def test_airflow_shows_where_a_load_is_and_renders_nothing_of_its_row(
    stand: Stand, postgres: Server, airflow_source: Server
) -> None:
    table = stand.table(
        owner=TEMPLATE,
        tags=[TEMPLATE],
        last_status_message=TEMPLATE,
        incremental_value=TEMPLATE,
        rolling_column=TEMPLATE,
    )
    refused = stand.table(load_strategy=TEMPLATE, destination_table_name=TEMPLATE)
    stand.airflow.run()
    table.ends_as("success")
    refused.ends_as("failed")
    airflow = stand.airflow.installation
    links = stand.airflow.links(table.run, table.map_index)
    (run,) = (run for run in stand.workspace.runs() if str(run["run_id"]) == table.load.databricks_run)
    assert links["See Databricks Job Run"] == run["run_page_url"]
    shown = f"/tasks/load/mapped/{table.map_index}/xcom"
    assert links["Load record"].startswith(f"{airflow.address}/dags/dataloader_load/runs/")
    assert links["Load record"].endswith(shown)
    assert stand.airflow.menu() == {"Data loads": f"{airflow.address}/dags?tags=dataloader"}
    events = {event["source_map_index"]: event for event in stand.airflow.asset_events(table.run)}
    event = events[table.map_index]
    assert event["extra"]["metadata_id"] == table.load.id
    assert event["extra"]["target_version"] == table.load.target_version
    # Airflow hides a password that it has read, so that its absence alone would say little.
    logs = texts(airflow.folder)
    assert f"Load {table.load.id}: config_id {table.config_id} " in logs
    assert logs.count(TEMPLATE) > 1
    everything = logs + texts(stand.bench.home / "workspace")
    for server, database in (
        (postgres, "through_airflow"),
        (postgres, "through_airflow_control"),
        (airflow_source, "shop"),
    ):
        everything += rows(server.url(database))
    assert stand.airflow.record(refused.run, refused.map_index)["message"] in everything
    assert TEMPLATE in everything
    assert CANARY not in everything


def texts(folder: Path) -> str:
    """Return all that stands in the files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return "\n".join(path.read_text(errors="replace") for path in files)


def rows(url: str) -> str:
    """Return the rows of all tables of a database as texts."""
    with psycopg.connect(url) as own:
        named = own.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        every = [sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*name)) for name in named]
        return "\n".join(text for table in every for (text,) in own.execute(table))


@pytest.mark.faults
def test_a_task_that_is_cleared_while_deferred_attaches_to_its_load(stand: Stand) -> None:
    table = stand.table()
    with table.held():
        stand.airflow.run()
        table.deferred()
        before = table.load.airflow_task
        stand.airflow.clear(table.run, table.map_index)
        eventually("a second try", lambda: table.load.airflow_task != before, seconds=300)
        table.deferred()
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert table.task()["try_number"] == 2


@pytest.mark.faults
def test_a_task_that_is_cleared_after_its_end_loads_its_table_again(stand: Stand) -> None:
    table = stand.table()
    stand.airflow.run()
    table.ends_as("success")
    stand.bench.source.execute(f"INSERT INTO {table.name} VALUES (101)")
    stand.airflow.clear(table.run, table.map_index)
    eventually("a second load", lambda: len(table.loads()) == 2, seconds=300)
    table.ends_as("success")
    first, second = table.loads()
    assert second.airflow_run.startswith(f"{first.airflow_run}#load[{table.map_index}].")
    assert second.databricks_run != first.databricks_run


@pytest.mark.faults
def test_a_cleared_task_whose_first_try_is_lost_loads_its_table_again(
    stand: Stand, airflow_proxy: Proxy
) -> None:
    table = stand.table()
    stand.airflow.run()
    table.ends_as("success")
    airflow_proxy.plan = Plan(fault=Fault.RESET)
    try:
        stand.airflow.clear(table.run, table.map_index)
        # It waits for the control database, and claims nothing.
        eventually("a try", lambda: table.task_is("running"), seconds=300)
        stand.airflow.kill_tasks()
        eventually("its loss", lambda: table.task_is("up_for_retry"), seconds=300)
    finally:
        airflow_proxy.plan = Plan()
    eventually("a second load", lambda: len(table.loads()) == 2, seconds=300)
    table.ends_as("success")
    first, second = table.loads()
    assert second.airflow_run == f"{first.airflow_run}#load[{table.map_index}].2"
    assert table.task()["try_number"] == 3


@pytest.mark.faults
@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_deferred_task_ends_its_load_and_no_other(stand: Stand, state: str) -> None:
    table, other = stand.table(), stand.table()
    with table.held(), other.held():
        stand.airflow.run()
        for one in (table, other):
            one.at_work()
        stand.airflow.mark(table.run, table.map_index, state)
        eventually("its end", lambda: table.load.load_status == "Cancelled", seconds=120)
        assert table.load.failure["settled_by"] == "trigger"
        run = table.load.databricks_run
        eventually("the run's end", lambda: ended(stand, run), seconds=120)
    other.ends_as("success")
    assert stand.bench.state(table.config_id).last_status == "Failed"
    assert not table.target_exists()


@pytest.mark.faults
def test_a_task_process_that_is_killed_after_submission_is_attached_to_again(stand: Stand) -> None:
    table = submitted(stand)
    stand.airflow.kill_tasks()
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert table.task()["try_number"] == 2


@pytest.mark.faults
def test_a_task_process_that_is_killed_before_its_run_is_on_record_finds_that_run(stand: Stand) -> None:
    table = stand.table()
    stand.workspace.order("latency", path="runs/submit", seconds=20)
    stand.airflow.run()
    eventually("a try", lambda: bool(table.loads()) and table.load.submit_token, seconds=PATIENCE)
    load = table.load
    with stand.bench.control.begin() as own:
        # The run is submitted, and neither its task nor its loader can write so.
        own.exec_driver_sql(f"SELECT FROM control.historical_metadata WHERE id = {load.id} FOR UPDATE")
        pid = own.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()

        def waiting() -> list[int]:
            with stand.bench.control.connect() as other:
                blocked = f"SELECT pid FROM pg_stat_activity WHERE {pid} = ANY(pg_blocking_pids(pid))"
                return list(other.exec_driver_sql(blocked).scalars())

        eventually("its record", waiting, seconds=PATIENCE)
        assert run_name(load) in {run["run_name"] for run in stand.workspace.runs()}
        stand.airflow.kill_tasks()
        # A server writes on for a client that has died; this one's statement has not reached it.
        for backend in waiting():
            own.exec_driver_sql(f"SELECT pg_terminate_backend({backend})")
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert table.task()["try_number"] == 2


@pytest.mark.faults
def test_a_control_database_that_is_away_when_the_run_ends_costs_nothing(
    stand: Stand, airflow_proxy: Proxy
) -> None:
    table = stand.table()
    try:
        with table.held():
            stand.airflow.run()
            table.at_work()
            airflow_proxy.plan = Plan(fault=Fault.AWAY)
            back = time.monotonic() + 45
        eventually("the target", table.target_exists)
        time.sleep(max(0.0, back - time.monotonic()))
        assert table.load.load_status == "In Progress"
    finally:
        airflow_proxy.plan = Plan()
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert table.task()["try_number"] == 1


def submitted(stand: Stand) -> Table:
    """Return a table whose run is submitted, by a task that asks for the run's address now, and waits."""
    table = stand.table()
    stand.workspace.order("latency", path="runs/get", seconds=30)
    stand.airflow.run()
    eventually("submission", lambda: table.submitted, seconds=300)
    return table


def ended(stand: Stand, run: str) -> bool:
    """Say whether a run is over."""
    return any(
        str(one["run_id"]) == run and one["state"]["life_cycle_state"] == "TERMINATED"
        for one in stand.workspace.runs()
    )


@pytest.mark.faults
def test_a_claim_that_is_killed_after_its_commit_gives_the_same_loads(stand: Stand, postgres: Server) -> None:
    table = stand.table()
    with psycopg.connect(postgres.url("through_airflow_control")) as own:
        # The claims' own lock: a claim waits for it before its first look.
        own.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        stand.airflow.run()
        eventually("a waiting claim", lambda: claims_waiting(stand), seconds=300)
        stand.airflow.freeze("api-server")
        own.rollback()
    try:
        eventually("the claim", lambda: bool(table.loads()), seconds=60)
        stand.airflow.kill_tasks()
    finally:
        stand.airflow.thaw("api-server")
    table.ends_as("success")
    assert len(table.loads()) == 1


@pytest.mark.faults
def test_a_worker_that_is_killed_after_submission_costs_a_try(stand: Stand) -> None:
    table = submitted(stand)
    stand.airflow.kill_tasks(with_workers=True)
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert table.task()["try_number"] == 2


#: Ways for a run to end at once, and what its load is then. The code is Databricks' own word for it.
ENDS = {
    "skipped": ("SKIPPED", "Failed"),
    "internal_error": ("INTERNAL_ERROR", "Failed"),
    "timed_out": ("CANCELED", "Cancelled"),
    "canceled": ("USER_CANCELED", "Cancelled"),
}


@pytest.mark.faults
def test_a_run_that_ends_without_its_loader_ends_its_load_and_no_other(stand: Stand) -> None:
    tables = [stand.table() for _ in range(len(ENDS) + 1)]
    for kind in ENDS:
        stand.workspace.order(kind)
    stand.airflow.run()
    for table in tables:
        eventually("its end", lambda one=table: one.task_is("success", "failed"), seconds=300)
    (spared,) = (table for table in tables if table.load.load_status == "Succeeded")
    assert spared.task()["state"] == "success"
    broken = [table for table in tables if table is not spared]
    for table in broken:
        assert table.task()["state"] == "failed"
        assert table.load.failure["settled_by"] == "trigger"
        record = stand.airflow.record(table.run, table.map_index)
        assert (record["load_status"], record["message"]) == (table.load.load_status, table.load.log_message)
    ends = {(table.load.failure["termination_code"], table.load.load_status) for table in broken}
    assert ends == set(ENDS.values())
    # Nothing is left of it: each is loaded when it is asked for again.
    for table in broken:
        stand.airflow.clear(table.run, table.map_index)
    for table in broken:
        eventually("a second load", lambda one=table: len(one.loads()) == 2, seconds=300)
        table.ends_as("success")


@pytest.mark.faults
def test_a_loader_that_is_killed_or_frozen_leaves_its_end_to_the_trigger(stand: Stand) -> None:
    killed, frozen = stand.table(), stand.table()
    with killed.held(), frozen.held():
        stand.airflow.run()
        for table in (killed, frozen):
            table.at_work()
        killed.strike(signal.SIGKILL)
        frozen.strike(signal.SIGSTOP)
        # A loader that could would settle now; this one cannot, and is killed in the end.
        run_id = int(frozen.load.databricks_run)
        stand.workspace.post("/api/2.2/jobs/runs/cancel", {"run_id": run_id})
        for table in (killed, frozen):
            table.ends_as("failed")
    for table, end in ((killed, ENDS["internal_error"]), (frozen, ENDS["canceled"])):
        assert (table.load.failure["termination_code"], table.load.load_status) == end
        assert table.load.failure["settled_by"] == "trigger"


@pytest.mark.faults
def test_an_end_that_the_trigger_cannot_write_is_written_when_the_control_database_is_back(
    stand: Stand, airflow_proxy: Proxy
) -> None:
    table = stand.table()
    with table.held():
        stand.airflow.run()
        table.at_work()
        run_id = table.load.databricks_run
        table.strike(signal.SIGSTOP)
        # Else a claim, which reaps too, might be there first.
        table.extend_lease()
        airflow_proxy.plan = Plan(fault=Fault.AWAY)
        try:
            stand.workspace.post("/api/2.2/jobs/runs/cancel", {"run_id": int(run_id)})
            eventually("the run's end", lambda: ended(stand, run_id), seconds=120)
            met = airflow_proxy.met
            eventually("looks in vain", lambda: airflow_proxy.met > met + 3, seconds=120)
            time.sleep(45)
            assert table.load.load_status == "In Progress"
        finally:
            airflow_proxy.plan = Plan()
        table.ends_as("failed")
    assert (table.load.failure["termination_code"], table.load.load_status) == ENDS["canceled"]
    assert table.load.failure["settled_by"] == "trigger"
    assert stand.airflow.record(table.run, table.map_index)["message"] == table.load.log_message
    assert table.task()["try_number"] == 1


@pytest.mark.faults
def test_loads_that_end_at_once_are_all_reported(stand: Stand) -> None:
    """Airflow fails tasks whose trigger fires too early, and then their resumed method never runs."""
    tables = [stand.table() for _ in range(40)]
    stand.workspace.order("skipped", times=len(tables))
    stand.airflow.run()
    for table in tables:
        table.ends_as("failed")
        assert stand.airflow.record(table.run, table.map_index)["message"] == table.load.log_message
        # A task that Airflow fails so is tried again: that try finds its load over, and says the same.
        assert table.task()["try_number"] == 1


@pytest.mark.faults
def test_all_of_postgresql_may_be_away_for_a_while(stand: Stand, postgres: Server) -> None:
    """Airflow's own database too: its components die, and somebody starts them again."""
    table = stand.table()
    with table.held():
        stand.airflow.run()
        table.at_work()
        run, map_index = table.run, table.map_index
        postgres.stop()
    try:
        time.sleep(20)
    finally:
        postgres.start()
    stand.airflow.revive()
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert stand.airflow.record(run, map_index)["load_status"] == "Succeeded"


@pytest.mark.faults
def test_a_workspace_that_is_killed_and_comes_back_leaves_nothing_undone(
    stand: Stand, airflow_workspace_process: WorkspaceProcess
) -> None:
    table = stand.table()
    with table.held():
        stand.airflow.run()
        table.at_work()
        run = table.load.databricks_run
        airflow_workspace_process.kill()
        time.sleep(5)
        airflow_workspace_process.start()
    # Its process and its Spark are not the workspace's own, and the next workspace watches them on.
    table.ends_as("success")
    assert len(table.loads()) == 1
    assert (table.load.load_status, table.load.databricks_run) == ("Succeeded", run)


def claims_waiting(stand: Stand) -> bool:
    """Say whether a claim waits for the claims' lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with stand.bench.control.connect() as connection:
        return bool(connection.exec_driver_sql(waiting).scalar_one())
