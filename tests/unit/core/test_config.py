"""A row's configuration: read from its snapshot, or refused with field and fix."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.strategy import CursorType, NullCursorPolicy, Strategy, ValuePolicy
from tests.unit.core.snapshots import SNAPSHOT, snapshot


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


@pytest.mark.parametrize("listed", ["id, line", "id, line, ID", "id,id,line,Line,id"])
def test_a_key_has_each_column_once(listed: str) -> None:
    assert LoadConfig.from_snapshot(snapshot(primary_key_cols=listed)).primary_key == ("id", "line")


def test_what_a_row_leaves_out_has_a_default() -> None:
    names = ("lookback", "max_runtime_minutes", "num_partitions", "connection_options")
    config = LoadConfig.from_snapshot({k: v for k, v in SNAPSHOT.items() if k not in names})
    assert (config.lookback, config.max_runtime_minutes, config.num_partitions) == (None, 180, None)
    assert (config.null_cursor_policy, config.value_policy) == (NullCursorPolicy.INCLUDE, ValuePolicy.FAIL)


def test_a_row_with_problems_is_not_a_configuration() -> None:
    with pytest.raises(ValueError, match=r"load_strategy: 'upsert' is not a strategy\. Fix: use one of"):
        LoadConfig.from_snapshot(snapshot(load_strategy="upsert"))


@pytest.mark.parametrize(
    ("override", "column", "keeps"),
    [
        ({}, None, False),
        ({"load_strategy": "full", "rolling_retention": "keep"}, None, False),
        ({"load_strategy": "rolling"}, "day", False),
        ({"load_strategy": "rolling", "rolling_retention": "keep"}, "day", True),
    ],
)
def test_only_a_rolling_row_goes_by_days(
    override: dict[str, Any], column: str | None, *, keeps: bool
) -> None:
    config = LoadConfig.from_snapshot(snapshot(rolling_column="day", rolling_days=3, **override))
    assert (config.days_column, config.keeps_older_days) == (column, keeps)


def test_a_cursor_type_is_read() -> None:
    assert LoadConfig.from_snapshot(snapshot(incremental_type="date")).incremental_type is CursorType.DATE


def test_the_size_of_a_backfill_s_chunks_is_read() -> None:
    backfill = snapshot(load_strategy="chunked_backfill")
    assert LoadConfig.from_snapshot(backfill | {"chunk_size": "7 days"}).chunk_size == timedelta(days=7)
    assert LoadConfig.from_snapshot(backfill).chunk_size is None


def test_a_row_with_a_query_needs_no_source_table() -> None:
    config = LoadConfig.from_snapshot(
        snapshot(source_table_schema=None, source_table_name=" ", query="SELECT 1")
    )
    assert config.query == "SELECT 1"
    assert "query" in config.label


@pytest.mark.parametrize(
    ("override", "replaces"),
    [
        ({}, False),
        ({"load_full": "true"}, True),
        ({"load_strategy": "append_only"}, False),
        ({"load_strategy": "full"}, True),
        ({"load_strategy": "chunked_backfill"}, True),
        ({"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 3}, True),
        (
            {
                "load_strategy": "rolling",
                "rolling_column": "day",
                "rolling_days": 3,
                "rolling_retention": "keep",
            },
            False,
        ),
    ],
)
def test_which_loads_replace_a_filled_table(override: dict[str, Any], replaces: bool) -> None:
    assert LoadConfig.from_snapshot(snapshot(**override)).always_replaces is replaces
