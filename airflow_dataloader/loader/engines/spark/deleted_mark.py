"""The column in which a target's rows are marked that the source no longer has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_dataloader.core.load_columns import DELETED_AT, OWN_COLUMNS
from airflow_dataloader.core.names import quoted
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TYPE = OWN_COLUMNS[DELETED_AT]

#: Select item of a row that is not marked.
NO_MARK = f"CAST(NULL AS {_TYPE}) AS {quoted(DELETED_AT)}"


def has_mark(types: Mapping[str, str]) -> bool:
    """Return whether a table of these columns, name to type, has the marks' own."""
    return any(name.casefold() == DELETED_AT and kind == _TYPE for name, kind in types.items())


def add_mark(spark: SparkSession, location: Location) -> None:
    """Add the column, in a commit of its own."""
    spark.sql(f"ALTER TABLE {location.sql} ADD COLUMNS ({quoted(DELETED_AT)} {_TYPE})")
