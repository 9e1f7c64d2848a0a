"""Names of targets and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.names import (
    TargetName,
    collisions,
    column_name,
    free_name,
    is_name_of_deletion_vectors,
    is_name_of_merge,
    is_name_of_reads,
    quoted,
)


def test_a_target_reads_as_its_dotted_name() -> None:
    assert str(TargetName(catalog="bronze", schema="shop", table="orders")) == "bronze.shop.orders"


def test_any_identifier_can_be_quoted() -> None:
    assert quoted("a.b`c") == "`a.b``c`"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("order id", "order_id"),
        ("a,b;c{d}e(f)g=h", "a_b_c_d_e_f_g_h"),
        ("line\nbreak\ttab\x00", "line_break_tab_"),
        ("Größe", "Größe"),
        ('as.is-%`"', 'as.is-%`"'),
    ],
)
def test_what_delta_forbids_becomes_an_underscore(source: str, target: str) -> None:
    assert column_name(source) == target


@given(st.text())
def test_a_target_s_name_is_its_own_name(name: str) -> None:
    assert column_name(column_name(name)) == column_name(name)


@pytest.mark.parametrize(
    ("name", "is_delta_s"),
    [
        ("_row_id_", True),
        ("_update_condition_0_", True),
        ("_delete_condition_12_", True),
        ("_insert_condition_1_", False),
        ("_update_condition_", False),
        ("my_update_condition_0_", False),
        ("_update_condition_0_x", False),
    ],
)
def test_delta_s_own_names_in_a_merge_are_known(name: str, *, is_delta_s: bool) -> None:
    assert is_name_of_merge(name) is is_delta_s


@pytest.mark.parametrize("name", ["filePath", "ROWINDEXCOL", "deletionVectorId", "dvfilepath"])
def test_its_names_where_it_writes_deletion_vectors_are_no_others(name: str) -> None:
    assert is_name_of_deletion_vectors(name)
    assert not is_name_of_merge(name)
    assert not is_name_of_reads(name)
    assert not is_name_of_deletion_vectors(f"{name}_")


@pytest.mark.parametrize("name", ["_tmp_metadata_row_index", "__DELTA_internal_is_row_deleted"])
def test_its_names_wherever_it_reads_are_known(name: str) -> None:
    assert is_name_of_reads(name)


def test_a_free_name_is_no_column_s_in_any_case() -> None:
    assert free_name("_adl_x", ["id", "_adl_y"]) == "_adl_x"
    assert free_name("_adl_x", ["_ADL_x", "_adl_X_", "_adl_x___"]) == "_adl_x__"


def test_collisions_name_both_columns() -> None:
    assert collisions(["id", "order id", "Order_ID", "note", "ORDER=ID"]) == [
        ("order id", "Order_ID"),
        ("order id", "ORDER=ID"),
    ]


def test_the_same_name_twice_collides() -> None:
    first, second = "total", "".join(["to", "tal"])
    assert collisions([first, second]) == [("total", "total")]


@given(st.lists(st.text(alphabet="abcdefgh", min_size=1), unique=True))
def test_distinct_plain_names_do_not_collide(names: list[str]) -> None:
    assert collisions(names) == []
