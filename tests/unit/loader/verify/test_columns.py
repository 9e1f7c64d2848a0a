"""Columns of both sides, and what is said of those that do not fit."""

from __future__ import annotations

from airflow_dataloader.core.strategy import SchemaPolicy
from airflow_dataloader.loader.verify.columns import match
from tests.planned import column


def test_columns_are_compared_whatever_the_width_of_their_type() -> None:
    planned = [column("Id", "int"), column("price", "decimal(10,2)"), column("f", "float")]
    found = match(planned, {"ID": "bigint", "price": "decimal(38,18)", "f": "double"}, SchemaPolicy.EVOLVE)
    assert ([each.name for each in found.columns], found.differences, found.notes) == (
        ["Id", "price", "f"],
        (),
        (),
    )


def test_a_column_that_holds_another_kind_of_values_is_a_difference() -> None:
    found = match(
        [column("a", source_type="numeric"), column("b", source_type="numeric")],
        {"a": "string", "b": "array<int>"},
        SchemaPolicy.EVOLVE,
    )
    assert found.columns == ()
    assert found.differences == (
        "Column a is string at the target and int at the source (numeric): its values were not compared.",
        "Column b is array<int> at the target and int at the source (numeric): its values were not compared.",
    )


def test_a_column_that_the_target_lacks_is_one_unless_the_row_ignores_it() -> None:
    assert match([column("new", "int")], {}, SchemaPolicy.EVOLVE).differences == (
        "Column new is not at the target.",
    )
    ignored = match([column("new", "int")], {}, SchemaPolicy.IGNORE)
    assert (ignored.differences, ignored.notes) == ((), ("Column new is not at the target.",))


def test_columns_that_loads_add_are_no_matter_and_others_are_named() -> None:
    found = match(
        [], {"_adl_load_id": "bigint", "_ADL_deleted_at": "timestamp", "old": "int"}, SchemaPolicy.EVOLVE
    )
    assert found.notes == ("Column old is only at the target: it was not compared.",)
