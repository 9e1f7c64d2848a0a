"""What a claim's answer carries to the mapped tasks."""

from __future__ import annotations

import json

from airflow_dataloader.control.claim import Claimed
from airflow_dataloader.operators.claim import mapped

CONFIG = {
    "config_id": 5,
    "source_table_schema": "public",
    "source_table_name": "orders",
    "target_catalog": "bronze",
    "target_schema": "shop",
    "target_table": "orders",
    "query": "SELECT secret FROM t",
    "db_config_value": {"password": "kv-name"},
}


def load(metadata_id: int, status: str = "Queued") -> Claimed:
    return Claimed(
        metadata_id=metadata_id,
        epoch=2,
        config_id=5,
        config=CONFIG,
        load_status=status,
        message=None if status == "Queued" else "no source",
        max_runtime_minutes=180,
    )


def test_it_is_small_and_holds_no_configuration() -> None:
    (entry,) = mapped([load(1)], 1024)
    assert entry == {
        "metadata_id": 1,
        "epoch": 2,
        "config_id": 5,
        "label": "config_id 5 (public.orders → bronze.shop.orders)",
        "max_runtime_minutes": 180,
        "load_status": "Queued",
        "message": None,
    }
    assert "secret" not in json.dumps(entry)


def test_rows_that_were_refused_give_way_where_a_map_is_full() -> None:
    loads = [load(1, "Failed"), load(2), load(3, "Failed"), load(4)]
    assert [entry["metadata_id"] for entry in mapped(loads, 4)] == [1, 2, 3, 4]
    assert [entry["metadata_id"] for entry in mapped(loads, 3)] == [1, 2, 4]
    assert [entry["metadata_id"] for entry in mapped(loads, 2)] == [2, 4]
    assert [entry["metadata_id"] for entry in mapped(loads, 1)] == [2, 4], "what is to be done never does"
