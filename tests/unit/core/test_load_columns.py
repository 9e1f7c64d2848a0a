"""The columns that loads add to the rows they write."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_dataloader.core.load_columns import (
    LOAD_COLUMNS,
    LOAD_ID,
    LOADED_AT,
    Stamp,
    is_load_column,
    refuse_collision,
    stamp_for,
)
from airflow_dataloader.core.plan import PlannedColumn, Wire
from airflow_dataloader.core.strategy import LoadColumnsPolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(policy: str, held: dict[str, str]) -> Stamp:
    return stamp_for(LoadColumnsPolicy(policy), held, load_id=7, loaded_at=BEGAN)


def test_the_policy_fills_both_wherever_they_are() -> None:
    for held in ({}, {"id": "int", "_ADL_LOAD_ID": "bigint"}):
        assert stamp("id_and_time", held) == {LOAD_ID: 7, LOADED_AT: BEGAN}


def test_a_load_that_fills_none_empties_those_that_are_there() -> None:
    assert stamp("none", {"id": "int"}) == {}
    assert stamp("none", {"id": "int", LOADED_AT: "timestamp"}) == {LOADED_AT: None}
    assert stamp("none", dict(LOAD_COLUMNS)) == {LOAD_ID: None, LOADED_AT: None}


def test_a_column_of_another_type_is_somebody_else_s() -> None:
    assert stamp("none", {LOAD_ID: "string"}) == {}
    with pytest.raises(SchemaRefused, match="_adl_load_id is string") as refused:
        stamp("id_and_time", {LOAD_ID: "string"})
    assert refused.value.field == "load_columns_policy"
    assert refused.value.fix


@pytest.mark.parametrize("name", [LOAD_ID, "_ADL_Loaded_At"])
def test_a_source_s_column_of_that_name_is_refused(name: str) -> None:
    assert is_load_column(name)
    column = PlannedColumn(
        source_name=name, name=name, select="x", wire=Wire.NATIVE, type="int", source_type="integer"
    )
    with pytest.raises(ConfigurationError, match=name) as refused:
        refuse_collision([column])
    assert refused.value.field == "load_columns_policy"
    refuse_collision([])
