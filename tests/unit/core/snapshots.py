"""A row's snapshot, as a claim makes one."""

from __future__ import annotations

from typing import Any

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
