"""Which types travel as they are; exact values are tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import Wire
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.types import keep


def rule(base: str, *, array: bool = False) -> tuple[str, str, Wire]:
    found = keep(DescribedColumn(name="x", base=base, declared=base, array=array), "x")
    return found.value, found.type, found.wire


@pytest.mark.parametrize(
    ("base", "kind"),
    [("bool", "boolean"), ("int2", "smallint"), ("int8", "bigint"), ("float4", "float"), ("bytea", "binary")],
)
def test_what_all_agree_on_is_selected_bare(base: str, kind: str) -> None:
    assert rule(base) == ("x", kind, Wire.NATIVE)


def test_padding_is_not_cast_away() -> None:
    assert rule("bpchar") == ("x", "string", Wire.NATIVE)


@pytest.mark.parametrize("base", ["uuid", "jsonb", "xml", "geometry", "shop.mood", "a type of 2031"])
def test_what_nobody_knows_is_kept_as_its_text(base: str) -> None:
    assert rule(base) == ("x::text", "string", Wire.NATIVE)


def test_an_array_is_json_whatever_it_holds() -> None:
    assert rule("_int4", array=True) == ("to_json(x)::text", "string", Wire.NATIVE)
    assert rule("_shop.mood", array=True)[0] == "to_json(x)::text"


@pytest.mark.parametrize("element", ["json", "jsonb"])
def test_an_array_of_json_is_kept_where_it_has_no_json_null(element: str) -> None:
    column = DescribedColumn(
        name="x", base="shop.documents", declared="x", array=True, parts=frozenset({"shop.document", element})
    )
    assert f"{element}_typeof(element) = 'null'" in (keep(column, "x").kept or "")


def test_the_dimensions_of_an_array_are_compared_under_a_collation_of_ours() -> None:
    """Servers before 18 have no LIKE under a nondeterministic one; the embedded server has no ICU at all."""
    kept = keep(DescribedColumn(name="x", base="_text", declared="text[]", array=True), "x").kept
    assert kept is not None
    assert 'array_dims(x) COLLATE "C"' in kept
