"""Columns are found by the names that people wrote."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.columns import find_column, refuse_collisions
from tests.planned import column


def test_the_exact_name_wins_over_another_case() -> None:
    assert find_column([column("ID"), column("id")], "id", field="f").source_name == "id"


def test_another_case_is_found_if_it_is_the_only_one() -> None:
    assert find_column([column("Order ID"), column("note")], "order id", field="f").source_name == "Order ID"


def test_two_columns_that_differ_by_case_are_not_chosen_between() -> None:
    with pytest.raises(ConfigurationError, match="'ID' and 'id'") as refusal:
        find_column([column("ID"), column("id")], "Id", field="primary_key_cols")
    assert refusal.value.field == "primary_key_cols"


def test_a_missing_column_is_named_with_similar_ones() -> None:
    with pytest.raises(ConfigurationError, match="'changed_on', which the source does not have") as refusal:
        find_column([column("id"), column("changed_at")], "changed_on", field="incremental_column")
    assert refusal.value.field == "incremental_column"
    assert "'changed_at'" in (refusal.value.fix or "")


def test_a_collision_names_both_columns() -> None:
    with pytest.raises(ConfigurationError, match="'order id' and 'Order_ID'"):
        refuse_collisions(["order id", "note", "Order_ID"])
    refuse_collisions(["order id", "note"])
