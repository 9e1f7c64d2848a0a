"""The query of rows that are due."""

from __future__ import annotations

from airflow_dataloader.control.lookup import _READY
from airflow_dataloader.control.queries import query


def test_it_is_the_one_in_the_folder_but_for_its_limit() -> None:
    assert _READY.text.strip().replace(":limit", "10") == query("ready_tables").sql
