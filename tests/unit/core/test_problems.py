"""What stops a row from being loaded: the column, the fault, the fix."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.core.problems import problems
from tests.unit.core.snapshots import SNAPSHOT, snapshot


def faults(**overrides: Any) -> list[str]:
    found = problems(snapshot(**overrides))
    assert all(problem.fix and problem.what for problem in found)
    return [problem.field for problem in found]


@pytest.mark.parametrize(
    ("overrides", "fields"),
    [
        ({}, []),
        ({"db_config_key": None}, ["db_config_key"]),
        ({"db_type": None, "db_config_value": None}, ["db_config_key"]),
        ({"db_type": "mysql"}, ["db_type"]),
        ({"db_type": "snowflake_pem", "db_config_value": {"account": "a"}}, []),
        ({"db_type": "snowflake_pem", "db_config_value": None}, ["db_config_value"]),
        (
            {"db_config_value": {"host": "h", "port": 5432, "database": "d", "user": "u"}},
            ["db_config_value.port", "db_config_value.password"],
        ),
        (
            {
                "db_config_value": SNAPSHOT["db_config_value"]
                | {"note": None, "warehouse": "w", "x": {"y": 1}}
            },
            ["db_config_value.note", "db_config_value.x"],
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
        ({"load_strategy": "rolling", "rolling_column": "day", "rolling_days": -3}, ["rolling_days"]),
        (
            {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 1, "load_timezone": "CET"},
            ["load_timezone"],
        ),
        ({"load_strategy": "full", "load_timezone": "CET"}, []),
        ({"incremental_type": "datetime"}, ["incremental_type"]),
        ({"value_policy": "round"}, ["value_policy"]),
        ({"load_full": "perhaps"}, ["load_full"]),
        ({"load_full": " On "}, []),
        ({"load_full": ""}, []),
        ({"schema_policy": "sideways"}, ["schema_policy"]),
        ({"schema_policy": "freeze"}, []),
        ({"load_columns_policy": "all"}, ["load_columns_policy"]),
        ({"schema_policy": "evolve", "delete_policy": "ignore", "load_columns_policy": "none"}, []),
        ({"load_columns_policy": "id_and_time", "shrink_guard_percent": 15}, []),
        ({"delete_policy": "hard"}, ["delete_policy"]),
        ({"delete_policy": "ignore", "delete_cron": None}, []),
        ({"delete_policy": "scan", "delete_cron": "0 3 * * 0"}, []),
        ({"delete_policy": "soft", "delete_cron": " "}, ["delete_cron"]),
        ({"load_strategy": "full", "delete_policy": "scan"}, ["delete_policy", "delete_cron"]),
        (
            {"load_strategy": "append_only", "primary_key_cols": "", "delete_policy": "scan"},
            ["primary_key_cols", "delete_cron"],
        ),
        (
            {"primary_key_cols": "", "delete_policy": "scan", "delete_cron": "@daily"},
            ["primary_key_cols"],
        ),
        (
            {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 1}
            | {"delete_policy": "scan", "delete_cron": "@daily"},
            ["delete_policy"],
        ),
        (
            {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 1}
            | {"rolling_retention": "keep", "delete_policy": "scan", "delete_cron": "@daily"},
            [],
        ),
        ({"cluster_by_key": True}, []),
        ({"cluster_by_key": True, "primary_key_cols": "a, b, c, d"}, []),
        ({"cluster_by_key": True, "primary_key_cols": "a, b, c, d, e"}, ["cluster_by_key"]),
        ({"cluster_by_key": True, "primary_key_cols": ""}, ["primary_key_cols"]),
        (
            {"cluster_by_key": True, "load_strategy": "full", "primary_key_cols": " "},
            ["primary_key_cols"],
        ),
        ({"load_strategy": "full", "cluster_by_key": False, "primary_key_cols": None}, []),
        ({"lookback": "a while"}, ["lookback"]),
        ({"chunk_size": "7 days"}, []),
        ({"chunk_size": "250000"}, []),
        ({"chunk_size": "0"}, ["chunk_size"]),
        ({"chunk_size": "a month"}, ["chunk_size"]),
        ({"primary_key_cols": "k" * 140_000}, ["primary_key_cols"]),
        ({"num_partitions": 0}, ["num_partitions"]),
        ({"num_partitions": 257}, ["num_partitions"]),
    ],
)
def test_problems_name_the_field(overrides: dict[str, Any], fields: list[str]) -> None:
    assert faults(**overrides) == fields
