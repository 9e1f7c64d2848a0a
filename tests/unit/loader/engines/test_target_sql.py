"""Literals of a target's SQL. What an engine makes of them is seen where it reads them."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.loader.engines.target_sql import literal


@pytest.mark.parametrize(
    ("text", "kind", "type_name", "expected"),
    [
        ("2026-03-01", CursorType.DATE, "date", "DATE '2026-03-01'"),
        ("2026-03-01 00:00:00+00", CursorType.TIMESTAMP, "timestamp", "TIMESTAMP '2026-03-01 00:00:00+00'"),
        ("2026-03-01 00:00:00", CursorType.TIMESTAMP_NTZ, "x", "TIMESTAMP_NTZ '2026-03-01 00:00:00'"),
        ("17.50", CursorType.DECIMAL, "decimal(10,2)", "CAST('17.50' AS decimal(10,2))"),
        ("ü'\\", CursorType.STRING, "string", "CAST(X'c3bc275c' AS STRING)"),
    ],
)
def test_a_value_is_written_by_the_type_of_its_cursor(
    text: str, kind: CursorType, type_name: str, expected: str
) -> None:
    assert literal(text, kind, type_name) == expected
