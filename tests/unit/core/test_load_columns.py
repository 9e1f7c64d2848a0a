"""The columns that loads add to the rows they write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_dataloader.core.load_columns import (
    DELETED_AT,
    LOAD_COLUMNS,
    LOAD_ID,
    LOADED_AT,
    Stamp,
    is_load_column,
    mark_for,
    refuse_collision,
    stamp_for,
    unmarked,
)
from airflow_dataloader.core.strategy import DeletePolicy, LoadColumnsPolicy
from airflow_dataloader.exceptions import ConfigurationError, SchemaRefused
from tests.planned import column

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
    with pytest.raises(ConfigurationError, match=name) as refused:
        refuse_collision([column(name)], LoadColumnsPolicy.ID_AND_TIME, DeletePolicy.IGNORE)
    assert refused.value.field == "load_columns_policy"
    refuse_collision([column(name)], LoadColumnsPolicy.NONE, DeletePolicy.SOFT)
    refuse_collision([], LoadColumnsPolicy.ID_AND_TIME, DeletePolicy.SOFT)


@pytest.mark.parametrize("policy", [DeletePolicy.SCAN, DeletePolicy.SOFT])
def test_nor_may_it_look_like_the_mark_of_a_deleted_row(policy: DeletePolicy) -> None:
    found = replace(column("x"), name="_ADL_deleted_at")
    with pytest.raises(ConfigurationError, match="a name that delete_policy needs") as refused:
        refuse_collision([found], LoadColumnsPolicy.NONE, policy)
    assert refused.value.field == "delete_policy"
    refuse_collision([found], LoadColumnsPolicy.ID_AND_TIME, DeletePolicy.IGNORE)


def test_what_a_load_writes_is_not_marked() -> None:
    assert mark_for(DeletePolicy.SOFT, {"id": "int"}) == {DELETED_AT: None}
    for policy in DeletePolicy:
        assert mark_for(policy, {"_ADL_deleted_at": "timestamp"}) == {DELETED_AT: None}
    assert mark_for(DeletePolicy.SCAN, {"id": "int", DELETED_AT: "string"}) == {}
    with pytest.raises(SchemaRefused, match="is string at the target") as refused:
        mark_for(DeletePolicy.SOFT, {DELETED_AT: "string"})
    assert refused.value.field == "delete_policy"


def test_rows_that_are_marked_as_gone_are_left_out() -> None:
    assert unmarked({"id": "int"}, ()) is None
    held = {"id": "int", "_ADL_deleted_at": "timestamp"}
    assert unmarked(held, [column("id")]) == "_adl_deleted_at IS NULL"
    assert unmarked({"id": "int", "_adl_deleted_at": "string"}, ()) is None
    assert unmarked({"id": "int", "_adl_deleted_at": "timestamp"}, [column("_ADL_DELETED_AT")]) is None
