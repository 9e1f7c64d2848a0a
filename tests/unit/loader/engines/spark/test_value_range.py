"""The range that a staged column spans, as a condition on the target."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.engines.spark.value_range import between, extremes


@pytest.mark.parametrize(
    ("kind", "asked", "low", "condition"),
    [
        ("int", "CAST(MIN(`a``b`) AS STRING)", "1", "`a``b` BETWEEN CAST('1' AS int) AND CAST('9' AS int)"),
        (
            "decimal(4,2)",
            "CAST(MIN(`a``b`) AS STRING)",
            "1.50",
            "`a``b` BETWEEN CAST('1.50' AS decimal(4,2)) AND CAST('9' AS decimal(4,2))",
        ),
        (
            "date",
            "UNIX_DATE(MIN(`a``b`))",
            -3,
            "`a``b` BETWEEN DATE_FROM_UNIX_DATE(-3) AND DATE_FROM_UNIX_DATE(9)",
        ),
    ],
)
def test_values_travel_exactly(kind: str, asked: str, low: object, condition: str) -> None:
    assert extremes("a`b", kind)[0] == asked
    assert between("a`b", kind, low, 9) == condition


def test_a_column_of_nothing_but_null_spans_nothing() -> None:
    assert between("x", "timestamp", None, None) == "FALSE"


@pytest.mark.parametrize("kind", ["string", "double", "boolean", ""])
def test_other_types_span_everything(kind: str) -> None:
    assert extremes("x", kind) == []
    assert between("x", kind, 1, 2) == "TRUE"
