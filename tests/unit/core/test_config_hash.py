"""What a configuration's digests depend on."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.core.config_hash import content_hash, watermark_hash
from tests.unit.core.snapshots import SNAPSHOT, snapshot


@pytest.mark.parametrize(
    "override",
    [
        {"query": "SELECT 1"},
        {"target_table": "orders2"},
        {"lookback": None},
        {"primary_key_cols": "id"},
        {"connection_options": {"row_security": "on"}},
        {"db_kv_scope": "another"},
        {"db_config_value": SNAPSHOT["db_config_value"] | {"database": "shop-database-2"}},
    ],
)
def test_the_content_hash_changes_with_what_decides_content(override: dict[str, Any]) -> None:
    assert content_hash(snapshot(**override)) != content_hash(SNAPSHOT)


def test_a_watermark_is_of_one_place_whoever_logs_in() -> None:
    names = SNAPSHOT["db_config_value"]
    elsewhere = [{"db_config_value": names | {"host": "h"}}, {"db_kv_scope": "another"}]
    for override in elsewhere:
        assert watermark_hash(snapshot(**override)) != watermark_hash(SNAPSHOT)
    assert watermark_hash(snapshot(db_config_value=names | {"password": "p"})) == watermark_hash(SNAPSHOT)


@pytest.mark.parametrize(
    "override",
    [
        {"incremental_value": "x"},
        {"num_partitions": 1},
        {"priority": 9},
        {"load_cron": "@daily"},
        {"load_columns_policy": "id_and_time"},
        {"chunk_size": "7 days"},
        {"cluster_by_key": True, "optimize_every_hours": 24},
        {"connection_options": {"connectTimeout": "9", "row_security": "off"}},
        {"connection_options": None},
        {"db_kv_scope": "azure-keyvault"},
        {"db_config_value": SNAPSHOT["db_config_value"] | {"user": "u", "password": "p"}},
    ],
)
def test_the_content_hash_stays_for_everything_else(override: dict[str, Any]) -> None:
    assert content_hash(snapshot(**override)) == content_hash(SNAPSHOT)


def test_the_size_of_its_chunks_is_content_to_a_backfill_alone() -> None:
    backfill = snapshot(load_strategy="chunked_backfill")
    assert content_hash(backfill | {"chunk_size": "7 days"}) != content_hash(backfill)
