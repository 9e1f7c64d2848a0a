"""The name of a row in a message."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.core.row_label import row_label
from tests.unit.core.snapshots import snapshot


@pytest.mark.parametrize(
    ("override", "label"),
    [
        ({}, "config_id 7 (public.orders → bronze.shop.orders)"),
        ({"source_table_catalog": "crm"}, "config_id 7 (crm.public.orders → bronze.shop.orders)"),
        ({"source_table_schema": None}, "config_id 7 (orders → bronze.shop.orders)"),
        ({"source_table_name": None, "query": "SELECT 1"}, "config_id 7 (query → bronze.shop.orders)"),
        ({"target_schema": " "}, "config_id 7 (public.orders → bronze.?.orders)"),
    ],
)
def test_a_row_is_named_by_its_id_and_both_ends(override: dict[str, Any], label: str) -> None:
    assert row_label(snapshot(**override)) == label
