"""The column in which a target's rows are marked that the source no longer has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_dataloader.core.names import DELETED_AT
from airflow_dataloader.loader.engines.spark.names import Location, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Select item of a row that is not marked.
NO_MARK = f"CAST(NULL AS TIMESTAMP) AS {quoted(DELETED_AT)}"


def has_mark(names: Iterable[str]) -> bool:
    """Return whether the column is among these."""
    return any(name.casefold() == DELETED_AT for name in names)


def add_mark(spark: SparkSession, location: Location) -> None:
    """Add the column, in a commit of its own."""
    spark.sql(f"ALTER TABLE {location.sql} ADD COLUMNS ({quoted(DELETED_AT)} TIMESTAMP)")
