"""The page about the control database leaves no table and no column out."""

from __future__ import annotations

from pathlib import Path

from airflow_dataloader.control.tables import METADATA

PAGE = Path(__file__).parents[3] / "docs" / "control-database.md"


def test_every_column_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    silent = [
        f"{table.name}.{column.name}"
        for table in METADATA.tables.values()
        for column in table.columns
        if f"`{column.name}`" not in page
    ]
    assert silent == []


def test_every_table_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [table.name for table in METADATA.tables.values() if table.name not in page] == []
