"""The load columns beside the rows of a write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from airflow_dataloader.core.load_columns import LOAD_ID, LOADED_AT
from airflow_dataloader.loader.engines.spark.stamp import stamp_items, stamp_types, stamped

BEGAN = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)


def test_values_are_exact_whatever_the_zone() -> None:
    elsewhere = BEGAN.astimezone(timezone(timedelta(hours=-7)))
    expected = "CAST(TIMESTAMP_MICROS(1767225600123456) AS timestamp) AS `_adl_loaded_at`"
    for moment in (BEGAN, elsewhere):
        assert stamp_items({LOAD_ID: 12, LOADED_AT: moment}) == [
            "CAST(12 AS bigint) AS `_adl_load_id`",
            expected,
        ]


def test_a_column_that_is_not_filled_any_more_is_null() -> None:
    assert stamp_items({LOAD_ID: None}) == ["CAST(NULL AS bigint) AS `_adl_load_id`"]
    assert stamp_types({LOAD_ID: None}) == {LOAD_ID: "bigint"}


def test_a_query_without_load_columns_is_as_it_was() -> None:
    assert stamped("SELECT 1 AS a", {}) == "SELECT 1 AS a"
    assert stamped("SELECT 1 AS a", {LOAD_ID: 3}) == (
        "SELECT *, CAST(3 AS bigint) AS `_adl_load_id` FROM (SELECT 1 AS a)"
    )
