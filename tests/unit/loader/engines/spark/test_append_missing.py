"""The queries for what is missing."""

from __future__ import annotations

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.engines.spark.append_missing import missing_keys_sql, missing_rows_sql
from airflow_dataloader.loader.engines.spark.filled_later import WholeRows
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.types import fit

TARGET, SOURCE = Location(sql="`t`", folder=None), Location(sql="`s`", folder=None)


def stage(**columns: str) -> Stage:
    planned = tuple(
        PlannedColumn(source_name=name, name=name, select=name, wire=Wire.NATIVE, type=kind, source_type="x")
        for name, kind in columns.items()
    )
    return Stage(name=TargetName(catalog="c", schema="s", table="_adl_stage_1"), columns=planned, rows=0)


def rows(staged: Stage, target: dict[str, str]) -> WholeRows:
    fitted = fit(staged.columns, target)
    return WholeRows(target=TARGET, source=SOURCE, stage=staged, fitted=fitted, narrowed="TRUE")


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


def test_rows_are_compared_as_wholes_a_column_that_only_comes_as_null() -> None:
    text = missing_rows_sql(
        rows(stage(at="int", more="int", x="double"), {"at": "int", "x": "float", "gone": "int"})
    )
    assert "PARTITION BY `at`, `more`, CAST(`x` AS STRING)" in text
    assert (
        "SELECT `at` AS c0, CAST(NULL AS int) AS c1, CAST(CAST(`x` AS double) AS STRING) AS c2 FROM `t`"
        in text
    )
    assert "ON s.`at` <=> h.c0 AND s.`more` <=> h.c1 AND CAST(s.`x` AS STRING) <=> h.c2" in text


def test_a_target_without_a_common_column_holds_none_of_the_rows() -> None:
    assert missing_rows_sql(rows(stage(at="int"), {"other": "int"})) == "SELECT `at` FROM `s`"
