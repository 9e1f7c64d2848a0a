"""Lets a table take columns and types that it was not made for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.types import Fit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def needed_properties(fitted: Fit, target: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that let a table of these columns take what ``fitted`` brings.

    Delta turns neither on by itself, because readers that do not know them can then not read the table.
    """
    properties = {}
    if _has_wall_clock(fitted.types.values()) and not _has_wall_clock(target.values()):
        properties["delta.feature.timestampNtz"] = "supported"
    if fitted.widened:
        properties["delta.enableTypeWidening"] = "true"
    return properties


def _has_wall_clock(types: Iterable[str]) -> bool:
    return any("timestamp_ntz" in kind for kind in types)


def allow(spark: SparkSession, location: Location, properties: Mapping[str, str]) -> None:
    """Set the properties, if there are any, in a commit of its own before the write."""
    if properties:
        pairs = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
        spark.sql(f"ALTER TABLE {location.sql} SET TBLPROPERTIES ({pairs})")
