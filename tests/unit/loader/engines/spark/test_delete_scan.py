"""The statements that compare keys and take rows away."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.engines.spark.delete_scan import compare_sql, delete_sql
from airflow_dataloader.loader.engines.spark.names import Location

TARGET, SOURCE = Location(sql="`t`", folder=None), Location(sql="`s`", folder=None)


def keys(**columns: str) -> Stage:
    planned = tuple(
        PlannedColumn(source_name=name, name=name, select=name, wire=Wire.NATIVE, type=kind, source_type="x")
        for name, kind in columns.items()
    )
    name = TargetName(catalog="c", schema="s", table="_adl_stage_1")
    return Stage(name=name, columns=planned, rows=0)


TYPES = {"a": "bigint", "B": "string", "x": "int"}
MARKED = TYPES | {"_adl_deleted_at": "timestamp"}
DISTINCT = (
    "(SELECT DISTINCT CAST(`a` AS bigint) AS `a`, `b` FROM `s` WHERE `a` IS NOT NULL AND `b` IS NOT NULL)"
)
ON = "ON t.`a` = s.`a` AND t.`b` = s.`b`"
PRESENT = "t.`a` IS NOT NULL AND t.`b` IS NOT NULL"


def test_rows_without_a_whole_key_are_never_deleted() -> None:
    text = delete_sql(TARGET, SOURCE, keys(a="int", b="string"), TYPES, mark=False)
    assert text == (
        f"MERGE INTO `t` t USING {DISTINCT} s {ON} WHEN NOT MATCHED BY SOURCE AND {PRESENT} THEN DELETE"
    )


def test_marks_come_and_go() -> None:
    text = delete_sql(TARGET, SOURCE, keys(a="int", b="string"), MARKED, mark=True)
    assert (
        "WHEN MATCHED AND t.`_adl_deleted_at` IS NOT NULL THEN UPDATE SET t.`_adl_deleted_at` = NULL" in text
    )
    assert text.endswith(
        f"WHEN NOT MATCHED BY SOURCE AND {PRESENT} AND t.`_adl_deleted_at` IS NULL "
        "THEN UPDATE SET t.`_adl_deleted_at` = CURRENT_TIMESTAMP()"
    )
    # A target that was marked once is not marked any more: what is gone goes, marked or not.
    assert delete_sql(TARGET, SOURCE, keys(a="int", b="string"), MARKED, mark=False).endswith(
        f"WHEN NOT MATCHED BY SOURCE AND {PRESENT} THEN DELETE"
    )


def test_a_target_without_marks_is_compared_as_if_no_row_had_one() -> None:
    unmarked = compare_sql(TARGET, SOURCE, keys(a="int", b="string"), TYPES)
    held = "(SELECT `a`, `b`, CAST(NULL AS timestamp) AS `_adl_deleted_at`, TRUE AS _adl_held FROM `t`)"
    assert f"{held} t FULL JOIN" in unmarked
    marked = compare_sql(TARGET, SOURCE, keys(a="int", b="string"), MARKED)
    assert "(SELECT `a`, `b`, `_adl_deleted_at`, TRUE AS _adl_held FROM `t`) t FULL JOIN" in marked


def test_a_key_that_the_target_lacks_is_refused() -> None:
    with pytest.raises(SchemaRefused, match="Key column c is new"):
        delete_sql(TARGET, SOURCE, keys(c="int"), TYPES, mark=False)
