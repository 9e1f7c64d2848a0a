"""Lets a table take columns and types that it was not made for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from airflow_dataloader.core.names import quoted
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.types import Fit

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def make_ready(spark: SparkSession, location: Location, fitted: Fit, target: Mapping[str, str]) -> None:
    """Let a table of the columns ``target`` take what ``fitted`` brings, in commits of their own.

    Columns are widened here and not left to the write: whether a write widens an integer to a decimal is a
    setting of the cluster, and a MERGE where it does not cuts the values and says nothing.
    """
    properties = needed_properties(fitted, target)
    if properties:
        pairs = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
        spark.sql(f"ALTER TABLE {location.sql} SET TBLPROPERTIES ({pairs})")
    for name in sorted(fitted.widened):
        spark.sql(f"ALTER TABLE {location.sql} ALTER COLUMN {quoted(name)} TYPE {fitted.types[name]}")


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
