"""What the schema refuses, fills in and keeps cheap."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from airflow_dataloader.control.tables import backfill, dbconfig, load_chunk, table_control
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core import strategy
from airflow_dataloader.core.chunk_size import parse_chunk_size
from airflow_dataloader.core.distance import parse_distance
from airflow_dataloader.exceptions import ConfigurationError
from tests.factories import add_row, add_source

HEARTBEAT = ("lease_until", "reaping_until", "progress_at")


@pytest.fixture
def row(control: Engine) -> int:
    add_source(control)
    return add_row(control)


def scalar(control: Engine, statement: str, **values: object) -> Any:
    with transaction(control) as connection:
        return connection.execute(text(statement), values).scalar_one()


def edit(control: Engine, column: str, value: object) -> None:
    with transaction(control) as connection:
        connection.execute(text(f"UPDATE control.table_control SET {column} = :value"), {"value": value})


@pytest.mark.parametrize(
    "parts",
    [
        ("shop", "public", "orders"),
        (None, "public", "orders"),
        (None, None, None),
        ("Ä", "ö", "日本"),
        # What would be the letter A if backslashes meant anything.
        ("\\101", "\\\\", "x\\"),
    ],
)
def test_control_key_is_the_documents_hash(control: Engine, parts: tuple[str | None, ...]) -> None:
    add_source(control)
    names = ("source_table_catalog", "source_table_schema", "source_table_name")
    row = add_row(control, query="SELECT 1", **dict(zip(names, parts, strict=True)))
    key = scalar(control, "SELECT control_key FROM control.table_control WHERE config_id = :id", id=row)
    assert bytes(key) == hashlib.sha256("".join(part or "" for part in parts).encode()).digest()


def test_control_key_is_not_unique(control: Engine, row: int) -> None:
    rows = [add_row(control, source_table_name="orders") for _ in range(2)]
    query = "SELECT count(DISTINCT control_key) FROM control.table_control WHERE config_id = ANY(:ids)"
    assert scalar(control, query, ids=rows) == 1


def test_policies_have_the_defaults_of_the_design(control: Engine, row: int) -> None:
    defaults = {
        "retry_count": 0,
        "staging_model_processed": False,
        "priority": 0,
        "load_timezone": "UTC",
        "max_runtime_minutes": 180,
        "freshness_minutes": None,
        "tags": [],
        "lookback": None,
        "chunk_size": None,
        "null_cursor_policy": "include",
        "schema_policy": "evolve",
        "value_policy": "fail",
        "empty_source_policy": "fail",
        "shrink_guard_percent": None,
        "rolling_retention": "window",
        "delete_policy": "ignore",
        "delete_cron": None,
        "next_delete_scan": None,
        "load_columns_policy": "none",
        "cluster_by_key": False,
        "optimize_every_hours": None,
        "vacuum_every_hours": None,
        "load_epoch": 0,
        "row_version": 1,
    }
    with transaction(control) as connection:
        found = connection.execute(table_control.select()).mappings().one()
    assert {name: found[name] for name in defaults} == defaults


def test_sources_have_defaults(control: Engine) -> None:
    add_source(control)
    with transaction(control) as connection:
        found = connection.execute(dbconfig.select()).mappings().one()
    assert found["max_concurrent_loads"] == 10
    assert found["connection_options"] == {}
    assert found["paused_until"] is None


@pytest.mark.parametrize(
    ("column", "choices"),
    [
        ("null_cursor_policy", strategy.NullCursorPolicy),
        ("schema_policy", strategy.SchemaPolicy),
        ("value_policy", strategy.ValuePolicy),
        ("empty_source_policy", strategy.EmptySourcePolicy),
        ("rolling_retention", ("window", "keep")),
        ("delete_policy", ("ignore", "scan", "soft")),
        ("load_columns_policy", ("none", "id_and_time")),
    ],
)
def test_a_policy_takes_its_choices_and_no_other(
    control: Engine, row: int, column: str, choices: tuple[str, ...]
) -> None:
    for choice in choices:
        edit(control, column, str(choice))
    with pytest.raises(ConfigurationError) as caught:
        edit(control, column, "whatever")
    assert column in str(caught.value.field)
    with pytest.raises(ConfigurationError):
        edit(control, column, None)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("max_runtime_minutes", 0),
        ("freshness_minutes", 0),
        ("shrink_guard_percent", 101),
        ("shrink_guard_percent", -1),
        ("optimize_every_hours", 0),
        ("optimize_every_hours", 87_601),
        ("vacuum_every_hours", 0),
        ("vacuum_every_hours", 87_601),
        ("load_epoch", -1),
    ],
)
def test_numbers_that_make_no_sense_are_refused(control: Engine, row: int, column: str, value: int) -> None:
    with pytest.raises(ConfigurationError, match=column):
        edit(control, column, value)


@pytest.mark.parametrize(("column", "read"), [("lookback", parse_distance), ("chunk_size", parse_chunk_size)])
@pytest.mark.parametrize(
    "value",
    [
        "15 minutes",
        "1 day",
        "2DAYS",
        " 3 weeks ",
        "0",
        "0 days",
        "0010",
        "1000",
        "15 min",
        "-1",
        "1.5 days",
        "minutes",
        "1 month",
        "1 days 2 hours",
    ],
)
def test_the_database_takes_the_sizes_that_core_reads(
    control: Engine, row: int, column: str, read: Callable[[str], object], value: str
) -> None:
    try:
        read(value)
        readable = True
    except ValueError:
        readable = False
    if readable:
        edit(control, column, value)
    else:
        with pytest.raises(ConfigurationError, match=column):
            edit(control, column, value)


@pytest.mark.parametrize(("column", "value"), [("max_concurrent_loads", 0), ("connection_options", [])])
def test_a_source_that_makes_no_sense_is_refused(control: Engine, column: str, value: object) -> None:
    with pytest.raises(Exception, match=f"table_control_dbconfig_{column}_check"):
        add_source(control, **{column: value})


def test_a_row_of_an_unknown_source_is_refused(control: Engine, row: int) -> None:
    with pytest.raises(ConfigurationError, match="foreign key") as caught:
        edit(control, "db_config_key", "nowhere")
    assert "nowhere" in str(caught.value.fix)


def test_what_a_claim_judges_is_not_refused_at_the_edit(control: Engine, row: int) -> None:
    """An adopted row may hold anything here, and has to stay editable."""
    for column in ("load_strategy", "load_cron", "load_timezone", "incremental_type", "load_full"):
        edit(control, column, "nonsense")
    edit(control, "rolling_days", -5)
    edit(control, "num_partitions", 100_000)


def test_a_source_that_goes_leaves_its_rows(control: Engine, row: int) -> None:
    with transaction(control) as connection:
        connection.execute(text("DELETE FROM control.table_control_dbconfig"))
    assert scalar(control, "SELECT db_config_key FROM control.table_control") is None


def test_one_open_backfill_a_row_and_its_chunks_go_with_it(control: Engine, row: int) -> None:
    plan = {"config_id": row, "mode": "direct", "content_hash": "x", "started_by": 1}
    with transaction(control) as connection:
        number = connection.execute(insert(backfill).values(plan).returning(backfill.c.id)).scalar_one()
        connection.execute(insert(load_chunk), [{"backfill_id": number, "number": n} for n in (1, 2)])
    with (
        pytest.raises(ConfigurationError, match="backfill_one_open_per_row"),
        transaction(control) as connection,
    ):
        connection.execute(insert(backfill).values(plan))
    with transaction(control) as connection:
        connection.execute(insert(backfill).values(plan | {"status": "done"}))
        connection.execute(text("DELETE FROM control.table_control"))
    assert scalar(control, "SELECT count(*) FROM control.load_chunk") == 0


def test_one_load_an_epoch(control: Engine, row: int) -> None:
    record = text(
        "INSERT INTO control.historical_metadata (control_key, config_id, epoch) VALUES ('x', :id, :epoch)"
    )
    with transaction(control) as connection:
        connection.execute(record, [{"id": row, "epoch": epoch} for epoch in (1, 2, None, None)])
    with pytest.raises(ConfigurationError, match="one_load_per_epoch"), transaction(control) as connection:
        connection.execute(record, {"id": row, "epoch": 2})


def test_no_index_knows_a_heartbeat(control: Engine) -> None:
    with transaction(control) as connection:
        query = text("SELECT indexdef FROM pg_indexes WHERE schemaname = 'control'")
        definitions = list(connection.execute(query).scalars())
    assert len(definitions) > 20
    assert not [line for line in definitions for column in HEARTBEAT if column in line]


def test_a_heartbeat_leaves_the_indexes_alone(control: Engine, row: int) -> None:
    with transaction(control) as connection:
        connection.execute(
            text(
                "INSERT INTO control.historical_metadata (control_key, config_id, epoch, load_status)"
                " VALUES ('x', :id, 1, 'In Progress')"
            ),
            {"id": row},
        )
    with transaction(control) as connection:
        for _ in range(5):
            connection.execute(
                text("UPDATE control.historical_metadata SET lease_until = now(), progress_at = now()")
            )
        table = "'control.historical_metadata'::regclass"
        counts = text(
            f"SELECT pg_stat_get_xact_tuples_updated({table}), pg_stat_get_xact_tuples_hot_updated({table})"
        )
        assert connection.execute(counts).one() == (5, 5)


def test_every_column_and_table_of_ours_says_what_it_means(control: Engine) -> None:
    """Those of the documents that their own text explains may do without."""
    with transaction(control) as connection:
        query = text(
            "SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class c"
            " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'control'::regnamespace AND c.relkind = 'r'"
            " AND col_description(c.oid, a.attnum) IS NULL"
        )
        silent = set(connection.execute(query).scalars())
    here = Path(__file__).parent / "documents_schema.sql"
    documented = here.read_text(encoding="utf-8")
    ours = {
        name
        for name in silent
        if name.split(".")[0] in {"table_control", "table_control_dbconfig", "historical_metadata"}
        and f" {name.split('.')[1]} " not in documented
    }
    assert ours == set()


def test_a_function_with_the_owner_s_rights_searches_temporary_tables_last(control: Engine) -> None:
    owners = """
    SELECT p.proname, s.setting FROM pg_proc p LEFT JOIN LATERAL unnest(p.proconfig) s(setting)
        ON s.setting LIKE 'search_path=%'
    WHERE p.pronamespace = 'control'::regnamespace AND (p.prosecdef OR s.setting IS NOT NULL)"""
    with control.connect() as connection:
        found = {row.proname: row.setting for row in connection.execute(text(owners))}
    assert {"record_change", "resolve_destination", "check_epoch", "require_version"} <= set(found)
    assert set(found.values()) == {"search_path=pg_catalog, control, pg_temp"}
