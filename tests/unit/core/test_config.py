"""A row's configuration: read from its snapshot, or refused with field and fix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_dataloader.core.config import LoadConfig, content_hash, problems, split_columns
from airflow_dataloader.core.strategy import CursorType, NullCursorPolicy, Strategy, ValuePolicy

SNAPSHOT: dict[str, Any] = {
    "config_id": 7,
    "db_config_key": "shop",
    "db_type": "postgresql",
    "db_config_value": {key: f"shop-{key}" for key in ("host", "port", "database", "user", "password")},
    "db_kv_scope": None,
    "connection_options": {"connectTimeout": 5},
    "source_table_catalog": None,
    "source_table_schema": "public",
    "source_table_name": "orders",
    "query": None,
    "target_catalog": "bronze",
    "target_schema": "shop",
    "target_table": "orders",
    "load_strategy": "incremental",
    "load_full": None,
    "incremental_column": "changed_at",
    "incremental_type": None,
    "incremental_value": "2026-01-01 00:00:00+00",
    "primary_key_cols": 'id, "line, number"',
    "num_partitions": 4,
    "lookback": "1 hour",
    "max_runtime_minutes": 180,
}


def snapshot(**overrides: Any) -> dict[str, Any]:
    return SNAPSHOT | overrides


def faults(**overrides: Any) -> list[str]:
    found = problems(snapshot(**overrides))
    assert all(problem.fix and problem.what for problem in found)
    return [problem.field for problem in found]


def test_reads_what_a_row_says() -> None:
    config = LoadConfig.from_snapshot(SNAPSHOT)
    assert config.strategy is Strategy.INCREMENTAL
    assert config.primary_key == ("id", "line, number")
    assert config.secret_scope == "azure-keyvault"
    assert config.secret_names["password"] == "shop-password"
    assert config.connection_options == {"connectTimeout": "5"}
    assert config.lookback == timedelta(hours=1)
    assert (config.incremental_type, config.load_full) == (None, False)
    assert config.label == "config_id 7 (public.orders → bronze.shop.orders)"


def test_what_a_row_leaves_out_has_a_default() -> None:
    names = ("lookback", "max_runtime_minutes", "num_partitions", "connection_options")
    config = LoadConfig.from_snapshot({k: v for k, v in SNAPSHOT.items() if k not in names})
    assert (config.lookback, config.max_runtime_minutes, config.num_partitions) == (None, 180, None)
    assert (config.null_cursor_policy, config.value_policy) == (NullCursorPolicy.INCLUDE, ValuePolicy.FAIL)


def test_a_row_with_a_query_needs_no_source_table() -> None:
    config = LoadConfig.from_snapshot(
        snapshot(source_table_schema=None, source_table_name=" ", query="SELECT 1")
    )
    assert config.query == "SELECT 1"
    assert "query" in config.label


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("TRUE ", True),
        ("1", True),
        ("yes", True),
        ("false", False),
        ("", False),
        ("0", False),
    ],
)
def test_load_full_is_text_in_the_documents(text: str, expected: bool) -> None:
    assert LoadConfig.from_snapshot(snapshot(load_full=text)).load_full is expected


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        ({}, []),
        ({"db_config_key": None}, ["db_config_key"]),
        ({"db_type": None, "db_config_value": None}, ["db_config_key"]),
        ({"db_type": "mysql"}, ["db_type"]),
        (
            {"db_config_value": {"host": "h", "port": 5432, "database": "d", "user": "u"}},
            ["db_config_value.port", "db_config_value.password"],
        ),
        ({"source_table_name": " "}, ["source_table_name"]),
        (
            {"target_catalog": None, "target_table": ""},
            ["destination_table_catalog", "destination_table_name"],
        ),
        ({"target_schema": None}, ["destination_table_schema"]),
        ({"load_strategy": None}, ["load_strategy"]),
        ({"load_strategy": "upsert"}, ["load_strategy"]),
        ({"incremental_column": "", "primary_key_cols": " , "}, ["incremental_column", "primary_key_cols"]),
        ({"load_strategy": "append_only", "primary_key_cols": None}, []),
        ({"load_strategy": "full", "incremental_column": None, "primary_key_cols": None}, []),
        ({"load_strategy": "rolling"}, ["rolling_column", "rolling_days"]),
        ({"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 0}, ["rolling_days"]),
        ({"incremental_type": "datetime"}, ["incremental_type"]),
        ({"value_policy": "round"}, ["value_policy"]),
        ({"lookback": "a while"}, ["lookback"]),
        ({"num_partitions": 0}, ["num_partitions"]),
        ({"num_partitions": 257}, ["num_partitions"]),
    ],
)
def test_problems_name_the_field(overrides: dict[str, Any], fields: list[str]) -> None:
    assert faults(**overrides) == fields


def test_a_row_with_problems_is_not_a_configuration() -> None:
    with pytest.raises(ValueError, match=r"load_strategy: 'upsert' is not a strategy\. Fix: use one of"):
        LoadConfig.from_snapshot(snapshot(load_strategy="upsert"))


def test_a_cursor_type_is_read() -> None:
    assert LoadConfig.from_snapshot(snapshot(incremental_type="date")).incremental_type is CursorType.DATE


@pytest.mark.parametrize(
    "override",
    [{"query": "SELECT 1"}, {"target_table": "orders2"}, {"lookback": None}, {"primary_key_cols": "id"}],
)
def test_the_content_hash_changes_with_what_decides_content(override: dict[str, Any]) -> None:
    assert content_hash(snapshot(**override)) != content_hash(SNAPSHOT)


@pytest.mark.parametrize(
    "override", [{"incremental_value": "x"}, {"num_partitions": 1}, {"priority": 9}, {"load_cron": "@daily"}]
)
def test_the_content_hash_stays_for_everything_else(override: dict[str, Any]) -> None:
    assert content_hash(snapshot(**override)) == content_hash(SNAPSHOT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ()),
        ("  ", ()),
        ("id", ("id",)),
        ("a , b,", ("a", "b")),
        ('"a,b",c', ("a,b", "c")),
        ('a,\n "b"', ("a", "b")),
        ('"say ""hi"""', ('say "hi"',)),
    ],
)
def test_column_lists(text: str | None, expected: tuple[str, ...]) -> None:
    assert split_columns(text) == expected
