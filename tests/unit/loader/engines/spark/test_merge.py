"""The MERGE's text."""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.engines.spark.dedup import best_rows
from airflow_dataloader.loader.engines.spark.merge import merge_sql, transaction_confs
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.types import fit

TARGET, SOURCE = Location(sql="`t`", folder=None), Location(sql="`s`", folder=None)
NAME = TargetName(catalog="c", schema="s", table="_adl_stage_1")


def stage(**columns: str) -> Stage:
    planned = tuple(
        PlannedColumn(source_name=name, name=name, select=name, wire=Wire.NATIVE, type=kind, source_type="x")
        for name, kind in columns.items()
    )
    return Stage(name=NAME, columns=planned, rows=0)


def text_of(source: Stage, dedup: Deduplication, **types: str) -> str:
    fitted = fit(source.columns, types)
    return merge_sql(TARGET, best_rows(SOURCE, source, dedup, fitted), source, dedup, fitted)


def test_the_statement_is_guarded_and_null_safe() -> None:
    dedup = Deduplication(keys=("k",), cursor="at")
    text = text_of(stage(k="int", at="int", x="double"), dedup, K="int", at="int", x="double")
    assert text.startswith(
        "MERGE WITH SCHEMA EVOLUTION INTO `t` t USING (SELECT `k`, `at`, `x` FROM (SELECT *,"
    )
    assert "ON t.`k` = s.`k` WHEN MATCHED AND" in text
    assert "(s.`at` IS NULL OR t.`at` IS NULL OR s.`at` >= t.`at`)" in text
    assert "NOT (s.`at` <=> t.`at`) OR NOT (CAST(s.`x` AS STRING) <=> CAST(t.`x` AS STRING))" in text
    assert text.endswith("THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")


def test_a_new_column_is_never_looked_for_at_the_target() -> None:
    text = text_of(stage(k="int", at="int"), Deduplication(keys=("k",), cursor="at"), k="int")
    assert "WHEN MATCHED AND TRUE AND (s.`at` IS NOT NULL)" in text
    assert "t.`at`" not in text


def test_a_table_of_nothing_but_keys_is_only_inserted_into() -> None:
    text = text_of(stage(k="int"), Deduplication(keys=("k",), cursor=None), k="int")
    assert "WHEN MATCHED AND TRUE AND (FALSE)" in text


def test_narrower_columns_are_cast_and_widened_ones_compared_in_their_new_type() -> None:
    text = text_of(stage(k="int", x="double"), Deduplication(keys=("k",), cursor=None), k="bigint", x="float")
    assert "SELECT CAST(`k` AS bigint) AS `k`, `x` FROM" in text
    assert "CAST(s.`x` AS STRING) <=> CAST(CAST(t.`x` AS double) AS STRING)" in text


def test_a_row_that_is_there_again_loses_its_mark() -> None:
    source = stage(k="int", x="int")
    dedup, fitted = Deduplication(keys=("k",), cursor=None), fit(source.columns, {"k": "int", "x": "int"})
    text = merge_sql(TARGET, "SELECT 1", source, dedup, fitted, marked=True)
    assert "(NOT (s.`x` <=> t.`x`) OR t.`_adl_deleted_at` IS NOT NULL) THEN UPDATE SET *" in text
    assert "_adl_deleted_at" not in merge_sql(TARGET, "SELECT 1", source, dedup, fitted)


def test_a_merge_s_identity_is_its_commit() -> None:
    commit = Commit(app_id="adl:i:1", epoch=2, step=1, metadata_id=3)
    assert transaction_confs(commit) == {
        "spark.databricks.delta.write.txnAppId": "adl:i:1",
        "spark.databricks.delta.write.txnVersion": str(2 * 2**20 + 1),
        "spark.databricks.delta.commitInfo.userMetadata": commit.user_metadata(),
    }
