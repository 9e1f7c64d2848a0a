"""``dataloader load --local`` as a command: what it loads, what it says, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from airflow_dataloader.cli.main import run
from tests.bench import Bench
from tests.factories import add_row, add_source
from tests.integration.cli.conftest import Command
from tests.integration.control.drive import claim_now, due_row, sql
from tests.waiting import until


@pytest.fixture
def load(dataloader: Command) -> Command:
    """The command."""
    return partial(dataloader, "load", "--local")


#: Runs the command where nothing is to be loaded, and returns what it says.
Idle = Callable[[], list[str]]


def fill(bench: Bench, *tables: str) -> None:
    for table in tables:
        bench.source.execute(f'CREATE TABLE "{table}" AS SELECT 1 AS id')


def test_selected_rows_whatever_their_slot(bench: Bench, load: Command) -> None:
    fill(bench, "orders", "other")
    row, other = bench.row("orders", load_cron="0 0 1 1 *"), bench.row("other")
    code, out, _ = load("-s", "source:shop name:ord*")
    assert code == 0
    assert "1 load\n" in out.replace(" \n", "\n").replace("  ", " ") or "1 load" in out
    (line,) = (
        line for line in out.splitlines() if "Succeeded" in line and "config_id" in line and ":" not in line
    )
    assert line.split()[-3:] == ["Succeeded", "1", "0"]
    assert (bench.state(row).last_status, bench.state(other).last_status) == ("Succeeded", None)


def test_what_is_due_without_a_selector_and_then_nothing(bench: Bench, load: Command) -> None:
    fill(bench, "orders")
    row = bench.row("orders", next_load_date_time="2020-01-01 00:00:00+00")
    assert load()[0] == 0
    assert bench.state(row).last_status == "Succeeded"
    code, out, _ = load()
    assert (code, out) == (0, "Nothing is due.\n")


@pytest.fixture
def idle(
    control_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Idle:
    """The command where there is nothing to load, so that no Spark is asked for anything."""
    monkeypatch.setenv("DATALOADER_CONTROL_URL", control_url)
    monkeypatch.setenv("DATALOADER_HOME", str(tmp_path))
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:1")
    monkeypatch.setenv("DATALOADER_MAX_CONCURRENT_LOADS", "3")

    def command() -> list[str]:
        assert run(["load", "--local"]) == 0
        return capsys.readouterr().out.splitlines()

    return command


def test_rows_that_are_due_and_wait_are_named_with_the_reason(control: Engine, idle: Idle) -> None:
    add_source(control, "shop", max_concurrent_loads=1)
    assert idle() == ["Nothing is due."]
    for key in "abcd":
        add_source(control, key, paused_until="infinity")
        due_row(control, db_config_key=key)
    due_row(control)
    claim_now(control, add_row(control))
    assert idle() == [
        "Nothing can be loaded now.",
        "Due and waiting: 4 rows whose source is paused (a, b, c and 1 more).",
        "Due and waiting: 1 row whose source has as many loads as its max_concurrent_loads (shop).",
    ]
    add_source(control, "wide", max_concurrent_loads=9)
    for _ in range(2):
        claim_now(control, add_row(control, db_config_key="wide"))
    assert idle() == [
        "Nothing can be loaded now.",
        "Due and waiting: 5 rows, for the end of one of the 3 loads that may live at the same time.",
    ]


def test_a_row_that_somebody_else_holds_is_said_to_be_held(control: Engine, idle: Idle) -> None:
    add_source(control)
    due_row(control)
    with control.begin() as connection:
        connection.exec_driver_sql("SELECT FROM control.table_control FOR UPDATE")
        first, held = idle()
    assert first == "Nothing can be loaded now."
    assert held.startswith("Due and waiting: 1 row that another session holds just now, or whose target ")
    assert held.endswith(" (shop).")


def test_a_failed_load_says_why_and_ends_with_1(bench: Bench, load: Command) -> None:
    fill(bench, "orders")
    good, bad = bench.row("orders"), bench.row("gone [bold]x[/bold]")
    code, out, _ = load("-s", "source:shop")
    assert code == 1
    assert (bench.state(good).last_status, bench.state(bad).last_status) == ("Succeeded", "Failed")
    (reason,) = (line for line in out.splitlines() if "Fix: " in line)
    assert reason == bench.state(bad).last_status_message
    assert "public.gone [bold]x[/bold]" in reason


def test_a_row_that_the_database_refuses_to_queue_is_said_and_the_next_is_loaded(
    bench: Bench, load: Command
) -> None:
    fill(bench, "orders", "other")
    refused = bench.row("orders", priority=1, owner="old")
    good = bench.row("other")
    sql(
        bench.control,
        "ALTER TABLE control.table_control ADD CONSTRAINT somebody_s_own CHECK (owner <> 'old') NOT VALID",
    )
    code, out, _ = load("-s", "source:shop")
    assert code == 1
    assert (bench.state(refused).last_status, bench.state(good).last_status) == (None, "Succeeded")
    assert ": refused\n" in out
    assert "2 loads" in out
    (reason,) = (line for line in out.splitlines() if "Fix: " in line)
    assert reason.startswith(f"config_id {refused} (public.orders")
    assert "somebody_s_own" in reason


def test_a_selector_that_matches_nothing_is_a_usage_error(bench: Bench, load: Command) -> None:
    code, out, error = load("-s", "name:nothing")
    assert (code, out) == (2, "")
    (line,) = error.splitlines()
    assert line.startswith("Error: No active row matches name:nothing. Fix: ")


def test_an_inactive_row_is_named(bench: Bench, load: Command) -> None:
    row = bench.row("orders", is_active=False)
    code, _, error = load("-s", "name:orders")
    assert code == 2
    assert f"inactive: config_id {row} (public.orders → " in error


@pytest.mark.parametrize("selector", ["", "colour:red", 'name:"a'])
def test_a_selector_that_cannot_be_read(bench: Bench, load: Command, selector: str) -> None:
    code, _, error = load("-s", selector)
    assert code == 2
    assert "name, source, status, tag" in error


def test_a_row_that_another_load_holds_is_a_conflict(bench: Bench, load: Command) -> None:
    fill(bench, "orders")
    row = bench.row("orders")
    bench.claim(row)
    code, out, _ = load("-s", "name:orders")
    assert code == 4
    assert "not claimed" in out
    assert "held by load 1" in out


def test_a_control_database_without_schema(
    bench: Bench, load: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATALOADER_CONTROL_URL", bench.server.url(bench.source.info.dbname))
    code, _, error = load()
    assert code == 5
    assert "dataloader db migrate" in error


def test_spark_that_is_not_there_leaves_no_row_waiting(
    bench: Bench, load: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARK_REMOTE")
    monkeypatch.setenv("DATALOADER_IVY_SETTINGS", "/nothing.xml")
    monkeypatch.setenv("DATALOADER_HOME", str(bench.home / "empty"))
    fill(bench, "orders")
    row = bench.row("orders")
    code, _, error = load("-s", "name:orders")
    assert code == 1
    assert "Error: DATALOADER_IVY_SETTINGS is '/nothing.xml'" in error
    assert bench.state(row).last_status == "Failed"
    assert "/nothing.xml" in bench.state(row).last_status_message


def test_the_environment_s_settings_hold_for_the_load(
    bench: Bench, load: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, "orders")
    row = bench.row("orders", query="SELECT id, length(pg_sleep(3)::text) AS at FROM orders")
    monkeypatch.setenv("DATALOADER_LEASE_SECONDS", "7200")

    def lease_of() -> timedelta:
        until(lambda: any(load.load_status == "In Progress" for load in bench.history(row)))
        (live,) = bench.history(row)
        return cast("timedelta", live.lease_until - live.load_start_time)

    with ThreadPoolExecutor(1) as pool:
        lease = pool.submit(lease_of)
        assert load("-s", "name:orders")[0] == 0
    assert lease.result() > timedelta(hours=1)
