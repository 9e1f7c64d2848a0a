"""Writes that take a frame: overwrite, append and the replacement of a slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.names import DELETED_AT, TargetName
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.loader.engines.protocol import Deduplication, Rows, Stage, Written
from airflow_dataloader.loader.engines.spark import history, tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.evolve import allow, needed_properties
from airflow_dataloader.loader.engines.spark.frames import columns_of, counts_replaced, deduplicated, frame_of
from airflow_dataloader.loader.engines.spark.marks import NO_MARK, has_mark
from airflow_dataloader.loader.engines.spark.names import Location, quoted
from airflow_dataloader.loader.engines.spark.observe import Counts, observed
from airflow_dataloader.loader.engines.spark.read import REPLACED
from airflow_dataloader.loader.engines.spark.types import Fit, fit
from airflow_dataloader.loader.engines.spark.write import execute

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, DataFrameWriter
    from pyspark.sql.types import StructType


def overwrite(
    context: Context, target: TargetName, data: Rows | Stage, commit: Commit, dedup: Deduplication | None
) -> Written:
    """Write ``data`` in one pass over whatever the target holds, and its columns where they differ."""
    location = context.names.locate(target)
    columns = columns_of(data)
    names = [quoted(column.name) for column in columns]
    found = tables.schema(context.spark, location)
    types = {column.name: column.type for column in columns}
    if found is not None and has_mark(found.names) and not has_mark(types):
        # Whoever reads the table by this column must find it, also when no row is marked.
        names.append(NO_MARK)
        types[DELETED_AT] = "timestamp"
    prepare = _replacement(context, location, columns, found, types, merged=dedup is not None)

    def writer(rows: DataFrame) -> DataFrameWriter:
        # A cluster's default may be to keep the partitions that the new rows do not touch.
        plain = prepare(rows.selectExpr(*names)).mode("overwrite")
        return plain.option("partitionOverwriteMode", "static")

    countable = location.folder is not None
    return _publish(context, location, data, commit, writer, dedup=dedup, countable=countable)


def _replacement(
    context: Context,
    location: Location,
    columns: tuple[PlannedColumn, ...],
    found: StructType | None,
    types: dict[str, str],
    *,
    merged: bool,
) -> Callable[[DataFrame], DataFrameWriter]:
    """Return how to replace everything in the table by ``types``, and nothing that people put on it."""
    if found is None:
        options = context.creation_options(merged=merged)
        tables.create_named(context.spark, location, columns, options)
        return lambda rows: rows.write.options(**options)
    layout = tables.layout(context.spark, location)
    if tables.types(found) != types:
        replaced = Fit(types=types)
        allow(context.spark, location, needed_properties(replaced, tables.types(found)))
        kept = [name for name in layout.partitioned_by if name in types]
        return lambda rows: _described(rows, found).write.partitionBy(*kept).option("overwriteSchema", "true")
    if layout.clustered_by:
        # A plain overwrite takes the clustering away; replacing every row does not.
        return lambda rows: rows.write.option("replaceWhere", "true")
    return lambda rows: rows.write


def append(context: Context, target: TargetName, data: Rows | Stage, commit: Commit) -> Written:
    """Add the rows of ``data``; raise SchemaRefused where a column does not fit the target's."""
    location = context.names.locate(target)
    items = _fitted(context, location, columns_of(data))
    return _publish(
        context,
        location,
        data,
        commit,
        lambda rows: rows.selectExpr(*items).write.mode("append").option("mergeSchema", "true"),
    )


def replace_slice(
    context: Context, target: TargetName, data: Rows | Stage, predicate: str, commit: Commit
) -> Written:
    """Put ``data`` in the place of the rows that satisfy ``predicate``; Delta checks that the new ones do."""
    location = context.names.locate(target)
    items = _fitted(context, location, columns_of(data))

    def writer(rows: DataFrame) -> DataFrameWriter:
        plain = rows.selectExpr(*items).write.mode("overwrite")
        return plain.option("replaceWhere", predicate).option("mergeSchema", "true")

    return _publish(context, location, data, commit, writer, countable=location.folder is not None)


def _publish(
    context: Context,
    location: Location,
    data: Rows | Stage,
    commit: Commit,
    writer: Callable[[DataFrame], DataFrameWriter],
    *,
    dedup: Deduplication | None = None,
    countable: bool = True,
) -> Written:
    """``countable``: a statement that replaces a catalogue's table loses the counts of what it wrote."""
    rows = deduplicated(frame_of(context, data), columns_of(data), dedup)
    counts: Counts | None = None
    if countable and counts_replaced(data):
        # Delta skips a write that it has taken already, and then no count ever arrives.
        done = history.find(context.spark, location, commit)
        if done is not None:
            return history.written(done)
        rows, counts = observed(rows, {REPLACED: f"COALESCE(SUM({REPLACED}), 0)"})
    prepared = writer(rows).format("delta").options(**identity_options(commit))
    entry = execute(context.spark, context.interrupts, location, commit, lambda: location.save(prepared))
    replaced = int(counts.get[REPLACED]) if counts is not None else None
    return history.written(entry, values_replaced=replaced)


def identity_options(commit: Commit) -> dict[str, str]:
    """Return the options that give a write its identity: Delta skips a version that it has taken already."""
    return {
        "txnAppId": commit.app_id,
        "txnVersion": str(commit.version),
        "userMetadata": commit.user_metadata(),
    }


def _fitted(context: Context, location: Location, columns: tuple[PlannedColumn, ...]) -> list[str]:
    found = tables.schema(context.spark, location)
    if found is None:
        tables.create_named(context.spark, location, columns, {})
        return [quoted(column.name) for column in columns]
    fitted = fit(columns, tables.types(found))
    allow(context.spark, location, needed_properties(fitted, tables.types(found)))
    return [fitted.select(column) for column in columns]


def _described(rows: DataFrame, found: StructType) -> DataFrame:
    """Return the frame with the comments that its columns have at the target."""
    comments = {field.name.casefold(): field.metadata.get("comment") for field in found.fields}
    for name in rows.columns:
        if comments.get(name.casefold()):
            rows = rows.withMetadata(name, {"comment": comments[name.casefold()]})
    return rows
