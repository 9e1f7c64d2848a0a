"""Commits nothing but a version, so that no older write of the same writer can land any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.load_columns import OWN_COLUMNS
from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.loader.engines.spark import tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.publish import identity_options
from airflow_dataloader.loader.engines.spark.write import execute

if TYPE_CHECKING:
    from pyspark.sql import DataFrameWriter
    from pyspark.sql.types import StructType


def fence(
    context: Context,
    target: TargetName,
    columns: Sequence[PlannedColumn],
    commit: Commit,
    cluster_by: Sequence[str],
) -> int:
    """Append no rows with the commit's version and return the table's; older writes are skipped or refused.

    That holds for writes that ended, that come later, and that are under way. An absent target is created
    empty, because a write under way would create it as well.
    """
    location = context.names.locate(target)
    writer = (
        _nothing(context, location, columns, cluster_by)
        .format("delta")
        .mode("append")
        .options(**identity_options(commit))
    )
    entry = execute(context.spark, context.interrupts, location, commit, lambda: location.save(writer))
    return entry.table_version


def _nothing(
    context: Context, location: Location, columns: Sequence[PlannedColumn], cluster_by: Sequence[str]
) -> DataFrameWriter:
    found = tables.schema(context.spark, location)
    if found is not None:
        return context.spark.table(location.sql).select(*_loaded(found, columns)).limit(0).write
    # Whether it will be merged into is not known yet.
    options = context.creation_options(merged=True)
    tables.create_named(context.spark, location, tables.planned_types(columns), options, cluster_by)
    if cluster_by:
        return context.spark.table(location.sql).limit(0).write
    items = [f"CAST(NULL AS {column.type}) AS {quoted(column.name)}" for column in columns]
    return context.spark.range(0).selectExpr(*items).write.options(**options)


def _loaded(found: StructType, columns: Sequence[PlannedColumn]) -> list[str]:
    """Return the table's columns that loads write: one GENERATED ALWAYS AS IDENTITY refuses even no rows."""
    written = {name.casefold() for name in (*(column.name for column in columns), *OWN_COLUMNS)}
    return [quoted(name) for name in found.fieldNames() if name.casefold() in written] or ["*"]
