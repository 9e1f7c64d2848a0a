"""When a window's load replaces the table, and by what it knows a row."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.windowed import beginning, key_columns, replaces
from tests.unit.loader.jobs import job


def target(*, filled: bool) -> Target:
    return Target(version=3, columns={"id": "int"}, commits=(), filled=filled, continuous=True)


def test_a_new_or_empty_table_is_replaced_and_a_filled_one_is_not() -> None:
    load = job()
    assert replaces(load)
    load.target = target(filled=False)
    assert replaces(load)
    load.target = target(filled=True)
    assert not replaces(load)


def test_load_full_replaces_and_begins_at_the_beginning() -> None:
    load = job(load_full="true", incremental_value="2026-01-01 00:00:00+00")
    load.target = target(filled=True)
    assert replaces(load)
    assert beginning(load) is None


def test_a_load_goes_on_from_the_row_s_watermark() -> None:
    load = job(incremental_value="2026-01-01 00:00:00+00")
    load.target = target(filled=True)
    assert beginning(load) == "2026-01-01 00:00:00+00"


def test_a_key_column_that_the_source_lacks_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'id'") as refusal:
        key_columns(job())
    assert refusal.value.field == "primary_key_cols"
