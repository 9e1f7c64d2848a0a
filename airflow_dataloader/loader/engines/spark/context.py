"""What every verb of one engine session works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_dataloader.loader.engines.spark.interrupts import Interrupts
from airflow_dataloader.loader.engines.spark.names import Names
from airflow_dataloader.sources.dialect import Dialect

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession


@dataclass(frozen=True, kw_only=True)
class Context:
    """One Spark session and the choices that were made for it."""

    spark: SparkSession
    interrupts: Interrupts
    names: Names
    #: The SQL of a source, by its ``db_type``.
    dialect: Callable[[str], Dialect]
    #: Whether new merge targets get deletion vectors: merges cost a third, but not every reader knows them.
    deletion_vectors: bool = True

    def ask(self, text: str) -> list[Row]:
        """Return the rows of a query, which an interrupt may stop."""
        with self.interrupts.statement():
            return self.spark.sql(text).collect()

    def creation_options(self, *, merged: bool) -> dict[str, str]:
        """Return the properties of a table that is created now; an existing one keeps its own."""
        return {"delta.enableDeletionVectors": "true"} if merged and self.deletion_vectors else {}
