"""Which rows a claim takes: order, limits, and what it may not even look at."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from airflow_dataloader.control import due
from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.transaction import transaction
from tests.factories import add_source
from tests.integration.control.drive import claim_now, due_row, edit, row, sql


def claimed(engine: Engine, run: str = "run", **limits: Any) -> list[int]:
    return [load.config_id for load in claim(engine, airflow_run=run, **limits)]


def test_priority_first_then_the_earliest_slot(control: Engine) -> None:
    (
        add_source(control, "shop", max_concurrent_loads=100),
        add_source(control, "crm", max_concurrent_loads=100),
    )
    late = due_row(control, next_load_date_time="2021-01-01")
    early = due_row(control, next_load_date_time="2020-01-01", db_config_key="crm")
    urgent = due_row(control, next_load_date_time="2022-01-01", priority=5)
    minor = due_row(control, next_load_date_time="2019-01-01", priority=-1, db_config_key="crm")
    also_urgent = due_row(control, next_load_date_time="2021-06-01", priority=5, db_config_key="crm")
    assert claimed(control, batch_size=4) == [also_urgent, urgent, early, late]
    assert claimed(control, "next") == [minor]


def test_a_batch_is_no_larger_than_asked(control: Engine) -> None:
    add_source(control, max_concurrent_loads=100)
    rows = [due_row(control) for _ in range(7)]
    assert claimed(control, batch_size=3) == rows[:3]
    assert claimed(control, "nothing", batch_size=0) == []


def test_a_source_s_limit_counts_what_runs_there(control: Engine) -> None:
    add_source(control, "shop", max_concurrent_loads=2), add_source(control, "crm", max_concurrent_loads=9)
    rows = [due_row(control, priority=1) for _ in range(4)]
    others = [due_row(control, db_config_key="crm") for _ in range(2)]
    assert claimed(control) == [*rows[:2], *others]
    assert claimed(control, "next") == []
    sql(control, "UPDATE control.table_control_dbconfig SET max_concurrent_loads = 3")
    assert claimed(control, "raised") == [rows[2]]


def test_the_limit_holds_across_priorities(control: Engine) -> None:
    add_source(control, max_concurrent_loads=3)
    rows = [due_row(control, priority=9 - number) for number in range(6)]
    assert claimed(control) == rows[:3]


def test_the_limit_over_all_counts_what_runs_anywhere(control: Engine) -> None:
    (
        add_source(control, "shop", max_concurrent_loads=100),
        add_source(control, "crm", max_concurrent_loads=100),
    )
    for key in ("shop", "crm"):
        for _ in range(4):
            due_row(control, db_config_key=key)
    assert len(claimed(control, "first", max_concurrent=5)) == 5
    assert claimed(control, "second", max_concurrent=5) == []
    assert len(claimed(control, "third", max_concurrent=7)) == 2


@pytest.mark.parametrize(
    ("paused_until", "expected"), [("infinity", 0), ("2999-01-01", 0), ("2020-01-01", 1), (None, 1)]
)
def test_a_paused_source_gives_nothing(control: Engine, paused_until: str | None, expected: int) -> None:
    add_source(control, paused_until=paused_until)
    config_id = due_row(control)
    assert len(claimed(control)) == expected
    asked = claim(control, airflow_run="asked", only=[config_id])
    assert len(asked) == 0, "paused, or claimed just now"


def test_asked_rows_obey_the_limits_too(control: Engine) -> None:
    add_source(control, max_concurrent_loads=2)
    rows = [due_row(control) for _ in range(4)]
    assert claimed(control, only=rows[1:]) == rows[1:3]
    assert claimed(control, "next", only=rows) == []


def test_a_row_without_source_is_taken_to_be_refused(control: Engine) -> None:
    config_id = due_row(control, db_config_key=None)
    assert claimed(control) == [config_id]
    assert row(control, config_id)["last_status"] == "Failed"


def test_the_snapshot_is_the_whole_configuration_with_names_resolved(control: Engine) -> None:
    add_source(control, default_target_schema="landing", connection_options={"connectTimeout": "5"})
    config_id = due_row(
        control,
        destination_table_schema=None,
        destination_table_name=" orders ",
        tags=["a", 'b"c'],
        lookback="1 day",
        query="SELECT '\\', \"ä\" -- 😀\n",
    )
    snapshot = claim_now(control, config_id).config
    assert (snapshot["target_catalog"], snapshot["target_schema"], snapshot["target_table"]) == (
        "bronze",
        "landing",
        "orders",
    )
    assert snapshot["db_type"] == "postgresql"
    assert snapshot["db_config_value"]["password"] == "shop-password"
    assert (snapshot["db_kv_scope"], snapshot["connection_options"]) == ("test", {"connectTimeout": "5"})
    current = row(control, config_id)
    state = {
        "control_key", "last_status", "last_load_date_time", "next_load_date_time", "last_status_date_time",
        "last_status_message", "last_airflow_run", "last_databricks_run", "created_at", "last_modified_at",
        "create_user", "last_modified_user", "retry_count", "staging_model_processed", "load_epoch",
        "row_version", "resolved_destination", "next_delete_scan",
    }  # fmt: skip
    configuration = {name: value for name, value in current.items() if name not in state}
    assert {name: snapshot[name] for name in configuration} == configuration


def blocks_of_a_look(engine: Engine) -> int:
    """Return how many blocks of 8 KiB the claim's look touches."""
    values = {"wanted": 10, "max_concurrent": 32, "handled": [], "asked": None}
    with transaction(engine) as connection:
        statement = text("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + due._TAKE.text)
        connection.execute(statement, values)
        # The first look of a session also reads the catalogue.
        found = connection.execute(statement, values).scalar_one()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


BACKLOG = """
INSERT INTO control.table_control (is_active, db_config_key, source_table_name, destination_table_catalog,
    destination_table_schema, destination_table_name, load_strategy, priority, next_load_date_time)
SELECT true, :source, 't' || n, 'bronze', :source, 't' || n, 'full', n % 3,
    CASE WHEN :due THEN timestamptz '2020-01-01' + n * interval '1 second' ELSE '2999-01-01' END
FROM generate_series(1, :rows) n"""


def test_a_look_reads_a_few_rows_of_many(control: Engine) -> None:
    add_source(control, "shop"), add_source(control, "full", max_concurrent_loads=2)
    add_source(control, "paused", paused_until="infinity")
    for source, is_due in (("shop", False), ("full", True), ("paused", True)):
        sql(control, BACKLOG, source=source, rows=10_000, due=is_due)
    due_rows = [due_row(control, priority=1) for _ in range(12)]
    claim(
        control,
        airflow_run="fills the small source",
        only=[
            config_id
            for (config_id,) in sql(
                control,
                "SELECT config_id FROM control.table_control WHERE "
                "db_config_key = 'full' ORDER BY config_id LIMIT 2",
            )
        ],
    )
    sql(control, "ANALYZE control.table_control")
    # A walk over a backlog would touch a block for each of its 10,000 rows.
    assert blocks_of_a_look(control) < 500
    assert claimed(control, "then") == due_rows[:10]


def test_a_destination_with_a_live_load_waits_for_its_end(control: Engine) -> None:
    add_source(control)
    first = due_row(control, destination_table_name="t")
    load = claim_now(control, first)
    edit(control, first, is_active=False)
    second, third = due_row(control, destination_table_name="T"), due_row(control)
    assert claimed(control) == [third]
    assert claimed(control, "asked", only=[second]) == []
    cancel(control, load.metadata_id, "gone")
    assert claimed(control, "later") == [second]


def test_a_destination_that_a_live_load_has_left_waits_for_its_end(control: Engine) -> None:
    add_source(control)
    first = due_row(control, destination_table_name="t")
    load = claim_now(control, first)
    edit(control, first, destination_table_name="u")
    second = due_row(control, destination_table_name="t")
    assert claimed(control) == []
    cancel(control, load.metadata_id, "gone")
    assert second in claimed(control, "later")


#: A look that has begun waits here, with what it has seen, for whoever holds the lock.
GATE = """
ALTER FUNCTION control.frozen RENAME TO frozen_behind_the_gate;
CREATE FUNCTION control.frozen(t control.table_control, s control.table_control_dbconfig) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_lock_shared(7);
    PERFORM pg_advisory_unlock_shared(7);
    RETURN control.frozen_behind_the_gate(t, s);
END $$"""

AT_THE_GATE = """
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objid = 7 AND NOT l.granted)"""


@pytest.mark.parametrize(
    ("edited", "now"),
    [
        ("UPDATE control.table_control SET db_config_key = 'crm'", ("crm", "bronze_erp")),
        ("UPDATE control.table_control_dbconfig SET db_config_key = 'till'", ("till", "bronze_erp")),
        ("UPDATE control.table_control_dbconfig SET default_target_schema = 'silver'", ("shop", "silver")),
        ("UPDATE control.table_control SET query = 'SELECT 1'", ("shop", "bronze_erp")),
    ],
)
def test_what_is_edited_beside_a_look_is_left_to_the_next(
    control: Engine, edited: str, now: tuple[str, str]
) -> None:
    add_source(control, "shop", default_target_schema="bronze_erp")
    config_id = due_row(control, destination_table_schema=None)
    if "crm" in edited:
        add_source(control, "crm", default_target_schema="bronze_erp")
    for statement in GATE.split(";\n", 1):
        sql(control, statement)
    with ThreadPoolExecutor(1) as pool:
        with control.connect() as gate:
            gate.exec_driver_sql("SELECT pg_advisory_lock(7)")
            looking = pool.submit(claimed, control)
            while not gate.exec_driver_sql(AT_THE_GATE).scalar_one():
                assert not looking.done()
            sql(control, edited)
            gate.exec_driver_sql("SELECT pg_advisory_unlock(7)")
        assert looking.result() == []
    assert row(control, config_id)["last_status"] is None
    (load,) = claim(control, airflow_run="next")
    assert (load.load_status, load.config["db_config_key"], load.config["target_schema"]) == ("Queued", *now)
