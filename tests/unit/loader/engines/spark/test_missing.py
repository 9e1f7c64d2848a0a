"""The queries for what is missing."""

from __future__ import annotations

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.engines.spark.missing import missing_keys_sql, missing_rows_sql
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.types import fit

TARGET, SOURCE = Location(sql="`t`", folder=None), Location(sql="`s`", folder=None)


def stage(**columns: str) -> Stage:
    planned = tuple(
        PlannedColumn(source_name=name, name=name, select=name, wire=Wire.NATIVE, type=kind, source_type="x")
        for name, kind in columns.items()
    )
    return Stage(name=TargetName(catalog="c", schema="s", table="_adl_stage_1"), columns=planned, rows=0)


def test_only_the_keys_of_a_range_are_read_from_the_target() -> None:
    staged = stage(k="int", x="int")
    dedup = Deduplication(keys=("k",), cursor=None)
    text = missing_keys_sql(
        TARGET,
        SOURCE,
        staged,
        dedup,
        fitted=fit(staged.columns, {"k": "int"}),
        narrowed="`k` BETWEEN 1 AND 2",
    )
    assert text.endswith(
        "s LEFT ANTI JOIN (SELECT `k` FROM `t` WHERE `k` BETWEEN 1 AND 2) h ON s.`k` = h.`k`"
    )


def test_rows_are_compared_over_the_columns_that_both_have() -> None:
    staged = stage(at="int", more="int", x="double")
    fitted = fit(staged.columns, {"at": "int", "x": "float", "gone": "int"})
    text = missing_rows_sql(TARGET, SOURCE, staged, fitted=fitted, narrowed="TRUE")
    assert "PARTITION BY `at`, CAST(`x` AS STRING) ORDER BY `more` NULLS FIRST" in text
    assert "SELECT `at` AS c0, CAST(CAST(`x` AS double) AS STRING) AS c1 FROM `t`" in text
    assert "ON s.`at` <=> h.c0 AND CAST(s.`x` AS STRING) <=> h.c1" in text


def test_a_target_without_a_common_column_holds_none_of_the_rows() -> None:
    staged = stage(at="int")
    text = missing_rows_sql(
        TARGET, SOURCE, staged, fitted=fit(staged.columns, {"other": "int"}), narrowed="TRUE"
    )
    assert text == "SELECT `at` FROM `s`"
