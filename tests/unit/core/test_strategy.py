"""Strategies and policies, as the control table spells them."""

from __future__ import annotations

from airflow_dataloader.core.strategy import (
    NEEDS_CURSOR,
    NEEDS_KEY,
    CursorType,
    Strategy,
)


def test_the_documents_names() -> None:
    assert [str(strategy) for strategy in Strategy] == [
        "full",
        "incremental",
        "append_only",
        "rolling",
        "check_and_load",
        "chunked_backfill",
    ]
    assert {str(kind) for kind in CursorType} == {
        "timestamp",
        "timestamp_ntz",
        "date",
        "integer",
        "decimal",
        "string",
    }


def test_who_merges_needs_a_cursor_too() -> None:
    assert NEEDS_KEY < NEEDS_CURSOR
    assert Strategy.FULL not in NEEDS_CURSOR
    assert Strategy.APPEND_ONLY not in NEEDS_KEY


def test_between_two_values_of_a_time_lies_a_span_of_time() -> None:
    assert {kind for kind in CursorType if kind.is_time} == {"timestamp", "timestamp_ntz", "date"}
