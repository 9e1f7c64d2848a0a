"""Every query file answers its question on real data, and finds its index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control.queries import names, query
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source


@dataclass
class House:
    """Rows in every state, by name; times in minutes before now."""

    control: Engine

    def run(self, statement: str, **values: Any) -> None:
        with transaction(self.control, settings={"dataloader.repair": "on"}) as connection:
            connection.execute(text(statement), values)

    def row(
        self, name: str, *, status: str | None = None, minutes: int = 0, due: int = -60, **columns: Any
    ) -> int:
        """Add a row that is ``due`` minutes overdue and took its status ``minutes`` ago."""
        config_id = add_row(self.control, source_table_name=name, destination_table_name=name, **columns)
        self.run(
            "UPDATE control.table_control SET last_status = :status,"
            " last_status_date_time = now() - make_interval(mins => :minutes),"
            " last_load_date_time = now() - make_interval(mins => :minutes),"
            " next_load_date_time = now() - make_interval(mins => :due) WHERE config_id = :id",
            status=status,
            minutes=minutes,
            due=due,
            id=config_id,
        )
        return config_id

    def load(self, config_id: int, epoch: int, status: str, *, minutes: int = 0, **columns: Any) -> int:
        """Add a load that began ``minutes`` ago, and give its row the epoch."""
        extra = "".join(f", {column}" for column in columns)
        marks = "".join(f", :{column}" for column in columns)
        statement = text(
            "INSERT INTO control.historical_metadata (control_key, config_id, epoch, load_status,"
            f" source_table, load_queued_time, load_start_time{extra})"
            " SELECT control_key, config_id, :epoch, :status, source_table_name,"
            " now() - make_interval(mins => :minutes + 1), now() - make_interval(mins => :minutes)"
            f"{marks} FROM control.table_control WHERE config_id = :id RETURNING id"
        )
        values = {"id": config_id, "epoch": epoch, "status": status, "minutes": minutes, **columns}
        with transaction(self.control) as connection:
            metadata_id = int(connection.execute(statement, values).scalar_one())
        self.run(
            "UPDATE control.table_control SET load_epoch = greatest(load_epoch, :epoch)"
            " WHERE config_id = :id",
            epoch=epoch,
            id=config_id,
        )
        return metadata_id

    def ask(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        with transaction(self.control, readonly=True) as connection:
            return [dict(row) for row in connection.execute(query(name).statement, parameters).mappings()]

    def tables(self, name: str, **parameters: Any) -> list[str]:
        return [row["source_table_name"] for row in self.ask(name, **parameters)]


@pytest.fixture
def house(control: Engine) -> House:
    add_source(control)
    return House(control)


def test_ready_tables(house: House) -> None:
    house.row("fresh", due=1)
    house.row("failed_long_ago", status="Failed", due=30)
    house.row("succeeded", status="Succeeded", due=20)
    house.row("tomorrow", due=-60)
    house.row("queued", status="Queued", due=10)
    house.row("running", status="In Progress", due=10)
    house.row("asleep", due=10, is_active=False)
    assert house.tables("ready_tables") == ["failed_long_ago", "succeeded", "fresh"]
    for number in range(12):
        house.row(f"more_{number}", due=5)
    assert len(house.ask("ready_tables")) == 10


def test_failed_loads(house: House) -> None:
    house.row("older", status="Failed", minutes=50)
    house.row("newer", status="Failed", minutes=5)
    house.row("fine", status="Succeeded")
    assert house.tables("failed_loads") == ["newer", "older"]


def test_long_queued(house: House) -> None:
    house.row("stuck", status="Queued", minutes=61)
    house.row("waiting", status="Queued", minutes=59)
    house.row("running", status="In Progress", minutes=200)
    assert house.tables("long_queued") == ["stuck"]


def test_long_running(house: House) -> None:
    house.row("stuck", status="In Progress", minutes=181)
    house.row("working", status="In Progress", minutes=179)
    house.row("queued", status="Queued", minutes=200)
    assert house.tables("long_running") == ["stuck"]


def test_execution_history(house: House) -> None:
    orders, customers = house.row("orders"), house.row("customers")
    for epoch in range(1, 13):
        house.load(orders, epoch, "Succeeded", minutes=100 - epoch, rows_processed=epoch)
    house.load(customers, 1, "Failed")
    found = house.ask("execution_history", source_table_name="orders")
    assert [row["rows_processed"] for row in found] == list(range(12, 2, -1))
    assert {row["source_table"] for row in found} == {"orders"}
    assert house.ask("execution_history", source_table_name="nothing") == []


def test_execution_history_tells_two_sources_tables_apart_and_begins_with_the_newest(house: House) -> None:
    """Also where the newest has started, and one before it never did."""
    add_source(house.control, key="erp")
    rows = {
        key: house.row("orders", db_config_key=key, destination_table_schema=key) for key in ("shop", "erp")
    }
    loads = {
        key: [house.load(one, 1, "Failed"), house.load(one, 2, "Succeeded")] for key, one in rows.items()
    }
    for never, _ in loads.values():
        house.run("UPDATE control.historical_metadata SET load_start_time = NULL WHERE id = :id", id=never)
    found = house.ask("execution_history", source_table_name="orders")
    assert [(row["config_id"], row["db_config_key"], row["load_status"]) for row in found] == [
        (rows[key], key, status) for key in ("shop", "erp") for status in ("Succeeded", "Failed")
    ]


def test_recent_changes(house: House) -> None:
    house.row("orders")
    gone = house.row("gone")
    house.run("UPDATE control.table_control SET priority = 3 WHERE source_table_name = 'orders'")
    house.run("DELETE FROM control.table_control WHERE config_id = :id", id=gone)
    found = house.ask("recent_changes")
    assert [(row["table_name"], row["change_type"], row["changed_fields"]) for row in found] == [
        ("gone", "DELETE", None),
        ("orders", "UPDATE", ["priority"]),
        ("gone", "INSERT", None),
        ("orders", "INSERT", None),
    ]


def test_tables_by_status(house: House) -> None:
    house.row("a", status="Failed")
    house.row("b", status="Failed")
    house.row("c")
    house.row("d", status="Failed", is_active=False)
    assert {row["last_status"]: row["count"] for row in house.ask("tables_by_status")} == {
        "Failed": 2,
        None: 1,
    }


def test_failed_monitor(house: House) -> None:
    new = house.row("new", status="Failed", minutes=5)
    # An earlier failure of the row was judged; that says nothing of this one.
    house.load(new, 1, "Failed", verdict='{"decision": "retry"}')
    metadata_id = house.load(new, 2, "Failed", failure='{"phase": "stage"}')
    # Its epoch was advanced since, as after a restore from a backup.
    house.run("UPDATE control.table_control SET load_epoch = 9 WHERE config_id = :id", id=new)
    house.load(house.row("older", status="Failed", minutes=50), 1, "Failed")
    house.load(house.row("judged", status="Failed"), 1, "Failed", verdict='{"decision": "review"}')
    house.load(house.row("exhausted", status="Failed", retry_count=3), 1, "Failed")
    house.load(house.row("fine", status="Succeeded"), 1, "Succeeded")
    found = house.ask("failed_monitor")
    assert [row["source_table_name"] for row in found] == ["older", "new"]
    assert (found[1]["metadata_id"], found[1]["failure"]) == (metadata_id, {"phase": "stage"})


def test_landing_table_monitor(house: House) -> None:
    house.row("changed", status="Succeeded")
    house.row("made", status="Succeeded", staging_model_processed=True)
    house.row("failed", status="Failed")
    assert house.tables("landing_table_monitor") == ["changed"]


def test_live_loads(house: House) -> None:
    running = house.row("running", status="In Progress")
    house.load(running, 1, "Failed", minutes=90)
    house.load(running, 2, "In Progress", minutes=9, lease_until="2020-01-01T00:00:00Z", databricks_run="7")
    house.load(house.row("queued", status="Queued"), 1, "Queued", minutes=1, lease_until="infinity")
    fenced = house.row("fenced", status="Failed")
    house.load(fenced, 1, "In Progress")
    house.run("UPDATE control.table_control SET load_epoch = 2 WHERE config_id = :id", id=fenced)
    found = house.ask("live_loads")
    assert [(row["table_name"], row["lease_is_out"], row["databricks_run"]) for row in found] == [
        ("running", True, "7"),
        ("queued", False, None),
    ]


def test_stale_tables(house: House) -> None:
    stale = house.row("stale", status="Failed", freshness_minutes=60, owner="anna")
    house.load(stale, 1, "Succeeded", minutes=90)
    house.load(stale, 2, "Failed", minutes=5)
    house.load(house.row("fresh", freshness_minutes=60), 1, "Succeeded", minutes=30)
    house.load(house.row("nobody_minds"), 1, "Succeeded", minutes=9000)
    never = house.row("never", freshness_minutes=60)
    house.run(
        "UPDATE control.table_control SET created_at = now() - interval '1 day' WHERE config_id = :id",
        id=never,
    )
    house.row("new", freshness_minutes=60)
    house.row("asleep", freshness_minutes=1, is_active=False)
    found = house.ask("stale_tables")
    assert [(row["table_name"], row["owner"]) for row in found] == [("never", None), ("stale", "anna")]


def test_source_load(house: House) -> None:
    add_source(
        house.control, key="erp", paused_until="infinity", pause_reason="month end", max_concurrent_loads=2
    )
    add_source(house.control, key="old", paused_until="2020-01-01T00:00:00Z")
    house.row("a", status="Queued")
    house.row("b", status="In Progress")
    house.row("c", due=5)
    house.row("d", due=5, db_config_key="erp")
    found = house.ask("source_load")
    assert [tuple(row.values()) for row in found] == [
        ("erp", "postgresql", 2, 0, 1, True, "month end"),
        ("old", "postgresql", 10, 0, 0, False, None),
        ("shop", "postgresql", 10, 2, 1, False, None),
    ]


INDEXES = {
    "ready_tables": "table_control_ready",
    "failed_loads": "table_control_failed",
    "long_queued": "table_control_live",
    "long_running": "table_control_live",
    "execution_history": "historical_metadata_loads",
    "recent_changes": "idx_history_changed_at",
    "failed_monitor": "table_control_failed",
    "landing_table_monitor": "table_control_landing",
    "live_loads": "historical_metadata_live",
}


@pytest.mark.parametrize("name", INDEXES)
def test_a_query_can_use_its_index(house: House, name: str) -> None:
    """The planner knows a partial index only by its condition, word for word."""
    parameters = {"source_table_name": "orders"} if name == "execution_history" else {}
    settings = {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off"}
    with transaction(house.control, settings=settings) as connection:
        lines = connection.execute(text(f"EXPLAIN {query(name).sql}"), parameters).scalars()
        assert INDEXES[name] in "\n".join(lines)


def test_every_file_says_in_one_line_what_it_is_for() -> None:
    assert len(names()) >= 12
    for name in names():
        asked = query(name)
        assert asked.purpose.endswith("."), name
        assert asked.sql.startswith("SELECT"), name
        assert ";" not in asked.sql, name


def test_every_file_has_a_test_of_its_rows() -> None:
    here: dict[str, Callable[..., None]] = globals()
    assert [name for name in names() if f"test_{name}" not in here] == []


def test_a_query_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(ConfigurationError, match="no query 'nonsense'") as caught:
        query("nonsense")
    assert "ready_tables" in str(caught.value.fix)
