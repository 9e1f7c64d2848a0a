"""A rolling window in the target's words."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.loader.days import slice_predicate
from airflow_dataloader.sources.dialect import Days


@pytest.mark.parametrize(
    ("kind", "first", "predicate"),
    [
        (CursorType.DATE, "2026-01-05", "`a``b` >= DATE '2026-01-05'"),
        (CursorType.TIMESTAMP_NTZ, "2026-01-05 00:00:00", "`a``b` >= TIMESTAMP_NTZ '2026-01-05 00:00:00'"),
        (CursorType.TIMESTAMP, "2026-01-04 23:00:00+00", "`a``b` >= TIMESTAMP '2026-01-04 23:00:00+00'"),
    ],
)
def test_the_target_is_asked_for_the_same_value(kind: CursorType, first: str, predicate: str) -> None:
    column = PlannedColumn(
        source_name="a`b", name="a`b", select="x", wire=Wire.NATIVE, type=str(kind), source_type="x"
    )
    days = Days(column=column, type=kind, first=first, where="", missing="")
    assert slice_predicate(days) == predicate
