"""From wire form to planned type."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.engines.spark.decode import decoded


@pytest.mark.parametrize(
    ("wire", "kind", "sql"),
    [
        (Wire.NATIVE, "decimal(10,2)", "CAST(`c3` AS decimal(10,2)) AS `a``b`"),
        (Wire.EPOCH_DAYS, "date", "DATE_FROM_UNIX_DATE(CAST(`c3` AS INT)) AS `a``b`"),
        (Wire.EPOCH_MICROS, "timestamp", "TIMESTAMP_MICROS(CAST(`c3` AS BIGINT)) AS `a``b`"),
        (
            Wire.WALL_MICROS,
            "timestamp_ntz",
            "CAST(TIMESTAMP_MICROS(CAST(`c3` AS BIGINT)) AS TIMESTAMP_NTZ) AS `a``b`",
        ),
    ],
)
def test_every_wire_form_has_its_expression(wire: Wire, kind: str, sql: str) -> None:
    column = PlannedColumn(source_name="x", name="a`b", select="x", wire=wire, type=kind, source_type="x")
    assert decoded(3, column) == sql
