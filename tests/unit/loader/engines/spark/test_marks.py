"""The column of deleted rows' marks."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.marks import has_mark


def test_names_are_compared_without_case() -> None:
    assert has_mark(["id", "_ADL_deleted_at"])
    assert not has_mark(["id", "deleted_at"])
