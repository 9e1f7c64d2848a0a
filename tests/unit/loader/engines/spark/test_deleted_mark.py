"""The column of deleted rows' marks."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.deleted_mark import has_mark


def test_names_are_compared_without_case_and_types_are_looked_at() -> None:
    assert has_mark({"id": "int", "_ADL_deleted_at": "timestamp"})
    assert not has_mark({"id": "int", "deleted_at": "timestamp"})
    assert not has_mark({"_adl_deleted_at": "string"})
