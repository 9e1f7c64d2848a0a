"""What a table needs before it takes new columns and types."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.evolve import needed_properties
from airflow_dataloader.loader.engines.spark.types import Fit


def test_a_table_that_fits_needs_nothing() -> None:
    assert needed_properties(Fit(types={"a": "int", "b": "string"}), {"a": "int"}) == {}


def test_the_first_time_without_a_zone_needs_its_feature() -> None:
    fitted = Fit(types={"a": "array<timestamp_ntz>"}, added=frozenset({"a"}))
    assert needed_properties(fitted, {"x": "timestamp"}) == {"delta.feature.timestampNtz": "supported"}
    assert needed_properties(fitted, {"x": "timestamp_ntz"}) == {}


def test_a_wider_type_needs_widening() -> None:
    fitted = Fit(types={"a": "bigint"}, widened=frozenset({"a"}))
    assert needed_properties(fitted, {"a": "int"}) == {"delta.enableTypeWidening": "true"}
