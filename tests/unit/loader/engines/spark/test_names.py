"""Where a three-level name is."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from airflow_dataloader.core.names import TargetName
from airflow_dataloader.loader.engines.spark.names import (
    CatalogNames,
    WarehouseNames,
    make_warehouse,
    path_component,
)


def test_a_catalogue_s_name_is_quoted_part_by_part() -> None:
    location = CatalogNames().locate(TargetName(catalog="m", schema="b.z", table="T`"))
    assert (location.sql, location.folder) == ("`m`.`b.z`.`T```", None)


def test_a_local_name_is_a_folder_below_the_warehouse() -> None:
    location = WarehouseNames(Path("/w")).locate(TargetName(catalog="Main", schema="Sales", table="Orders"))
    assert location.folder == Path("/w/main/sales/orders")
    assert location.sql == "delta.`/w/main/sales/orders`"


@pytest.mark.parametrize(
    ("part", "folder"),
    [
        ("a_b-1", "a_b-1"),
        ("..", "%2E%2E"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("~x", "%7Ex"),
        ("É", "%C3%A9"),
        ("k=v", "k%3Dv"),
    ],
)
def test_unsafe_characters_are_encoded(part: str, folder: str) -> None:
    assert path_component(part) == folder


def test_long_names_stay_apart_and_short_enough_for_a_file_system() -> None:
    one, other = path_component("x" * 255 + "a"), path_component("x" * 255 + "b")
    assert one != other
    assert len(one) == len(other) == 200
    assert path_component("ß" * 100) != path_component("ß" * 101)


def test_names_that_differ_do_not_share_a_folder() -> None:
    parts = ["a", "a ", " a", "a.", "a%20", "%20", "", "a/", "a\n", "a\0"]
    assert len({path_component(part) for part in parts}) == len(parts)


def test_a_warehouse_is_made_for_its_owner_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    made = make_warehouse(tmp_path / "home")
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    made.chmod(0o750)
    assert make_warehouse(tmp_path / "home") == made
    assert stat.S_IMODE(made.stat().st_mode) == 0o750
