"""Which types go into which, and how values are told apart."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import SchemaRefused
from airflow_dataloader.loader.engines.spark.types import fit, identity
from tests.planned import column


def test_columns_meet_without_case_and_are_cast_to_the_target_s_type() -> None:
    columns = (column("ID", "int"), column("new", "date"))
    fitted = fit(columns, {"id": "bigint", "gone": "string"})
    assert fitted.added == {"new"}
    assert [fitted.select(each) for each in columns] == ["CAST(`ID` AS bigint) AS `ID`", "`new`"]


def test_a_wider_type_widens_the_target_s() -> None:
    fitted = fit((column("x", "decimal(12,2)"), column("y", "int")), {"X": "decimal(10,2)", "y": "bigint"})
    assert fitted.widened == {"x"}
    assert fitted.types == {"x": "decimal(12,2)", "y": "bigint"}


def test_a_refusal_names_column_types_and_fix() -> None:
    with pytest.raises(SchemaRefused) as refused:
        fit((column("x", "string", source_type="theirs"),), {"X": "int"})
    assert refused.value.field == "x"
    assert refused.value.fix is not None
    assert "load_full" in refused.value.fix
    assert {"int", "string", "(theirs)"} < set(refused.value.message.replace(",", "").split())


def test_only_types_that_spark_compares_loosely_are_compared_by_text() -> None:
    assert identity("x", "decimal(10,2)") == "x"
    assert identity("x", "array<double>") == "CAST(x AS STRING)"
    assert identity("x", "float") == "CAST(x AS STRING)"
