"""Writes that take a frame: overwrite, append and the replacement of a slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.load_columns import Stamp
from airflow_dataloader.core.names import TargetName, quoted
from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.protocol import Deduplication, Rows, Stage, Written
from airflow_dataloader.loader.engines.spark import history, tables
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.evolve import make_ready
from airflow_dataloader.loader.engines.spark.frames import columns_of, counts_replaced, deduplicated, frame_of
from airflow_dataloader.loader.engines.spark.layout import ensure_clustered, is_clustered, layout
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.observe import Counts, observed
from airflow_dataloader.loader.engines.spark.read import replaced_column
from airflow_dataloader.loader.engines.spark.stamp import stamp_items, stamp_types
from airflow_dataloader.loader.engines.spark.types import Fit, fit
from airflow_dataloader.loader.engines.spark.write import execute

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, DataFrameWriter
    from pyspark.sql.types import StructType

#: A plain overwrite takes a table's clustering away; replacing every row does not.
KEEPS_CLUSTERS = {"replaceWhere": "true"}


def overwrite(
    context: Context,
    target: TargetName,
    data: Rows | Stage,
    commit: Commit,
    *,
    dedup: Deduplication | None,
    keep_columns: bool,
    cluster_by: Sequence[str],
) -> Written:
    """Write ``data`` in one pass over whatever the target holds, and its columns where they differ."""
    location, columns = context.names.locate(target), columns_of(data)
    found = tables.schema(context.spark, location)
    chosen: tuple[str, ...] = ()
    if found is None:
        merged = dedup is not None
        prepare = _creation(context, location, columns, commit.stamp, merged=merged, cluster_by=cluster_by)
    elif keep_columns:
        prepare = _refill(context, location, columns, commit.stamp, found)
    else:
        prepare, chosen = _replacement(context, location, columns, commit.stamp, found)

    def writer(rows: DataFrame) -> DataFrameWriter:
        # A cluster's default may be to keep the partitions that the new rows do not touch.
        return prepare(rows).mode("overwrite").option("partitionOverwriteMode", "static")

    countable = location.folder is not None
    written = _publish(context, location, data, commit, writer, dedup=dedup, countable=countable)
    # The people's own before those of the row's policy.
    ensure_clustered(context, target, chosen or cluster_by)
    return written


def _creation(
    context: Context,
    location: Location,
    columns: tuple[PlannedColumn, ...],
    stamp: Stamp,
    *,
    merged: bool,
    cluster_by: Sequence[str],
) -> Callable[[DataFrame], DataFrameWriter]:
    options = context.creation_options(merged=merged)
    tables.create_named(context.spark, location, _types(columns, stamp), options, cluster_by)
    if cluster_by:
        options = KEEPS_CLUSTERS
    items = [*(quoted(column.name) for column in columns), *stamp_items(stamp)]
    return lambda rows: rows.selectExpr(*items).write.options(**options)


def _refill(
    context: Context, location: Location, columns: tuple[PlannedColumn, ...], stamp: Stamp, found: StructType
) -> Callable[[DataFrame], DataFrameWriter]:
    """Return how to replace every row, and no column."""
    items = _fitted(context, location, columns, stamp, found)
    kept = KEEPS_CLUSTERS if is_clustered(context.spark, location) else {}
    return lambda rows: rows.selectExpr(*items).write.options(mergeSchema="true", **kept)


def _replacement(
    context: Context, location: Location, columns: tuple[PlannedColumn, ...], stamp: Stamp, found: StructType
) -> tuple[Callable[[DataFrame], DataFrameWriter], tuple[str, ...]]:
    """Return how to replace everything in the table and nothing that people put on it.

    Beside it the columns that the table is to be clustered by again, since a write that changes columns takes
    clusters away.
    """
    wanted, held = _types(columns, stamp), tables.types(found)
    if held == wanted:
        return _refill(context, location, columns, stamp, found), ()
    make_ready(context.spark, location, Fit(types=wanted), held)
    chosen = layout(context.spark, location)
    spelled = {name.casefold(): name for name in wanted}
    kept, clusters = (
        tuple(spelled[name.casefold()] for name in names if name.casefold() in spelled)
        for names in (chosen.partitioned_by, chosen.clustered_by)
    )
    items = [*(quoted(column.name) for column in columns), *stamp_items(stamp)]

    def prepare(rows: DataFrame) -> DataFrameWriter:
        described = _described(rows.selectExpr(*items), found)
        return described.write.partitionBy(*kept).option("overwriteSchema", "true")

    return prepare, clusters


def append(context: Context, target: TargetName, data: Rows | Stage, commit: Commit) -> Written:
    """Add the rows of ``data``; raise SchemaRefused where a column does not fit the target's.

    To append presupposes rows that are there: a target that has vanished is not made anew.
    """
    location = context.names.locate(target)
    items = _items(context, target, columns_of(data), commit.stamp)
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
    items = _items(context, target, columns_of(data), commit.stamp)

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
    """Write the data as ``writer`` prepares it, and return what that did.

    ``countable``: whether replaced values can be counted on the way; a statement that replaces a catalogue's
    table loses the counts of what it wrote.
    """
    columns = columns_of(data)
    rows = deduplicated(frame_of(context, data), columns, dedup)
    counts: Counts | None = None
    if countable and counts_replaced(data):
        # Delta skips a write that it has taken already, and then no count ever arrives.
        done = history.find(context.spark, location, commit)
        if done is not None:
            return history.written(done)
        rows, counts = observed(rows, {"replaced": f"COALESCE(SUM({replaced_column(columns)}), 0)"})
    prepared = writer(rows).format("delta").options(**identity_options(commit))
    entry = execute(context.spark, context.interrupts, location, commit, lambda: location.save(prepared))
    replaced = int(counts.get["replaced"]) if counts is not None else None
    return history.written(entry, values_replaced=replaced)


def identity_options(commit: Commit) -> dict[str, str]:
    """Return the options that give a write its identity: Delta skips a version that it has taken already."""
    return {
        "txnAppId": commit.app_id,
        "txnVersion": str(commit.version),
        "userMetadata": commit.user_metadata(),
    }


def _items(
    context: Context, target: TargetName, columns: tuple[PlannedColumn, ...], stamp: Stamp
) -> list[str]:
    """Return what to select of the columns, once the table takes them; raise EngineFailed if it is gone."""
    location = context.names.locate(target)
    found = tables.schema(context.spark, location)
    if found is None:
        raise EngineFailed(f"Target {target} vanished before the write.")
    return _fitted(context, location, columns, stamp, found)


def _fitted(
    context: Context, location: Location, columns: tuple[PlannedColumn, ...], stamp: Stamp, found: StructType
) -> list[str]:
    fitted = fit(columns, tables.types(found))
    make_ready(context.spark, location, fitted, tables.types(found))
    return [*(fitted.select(column) for column in columns), *stamp_items(stamp)]


def _types(columns: tuple[PlannedColumn, ...], stamp: Stamp) -> dict[str, str]:
    return {**tables.planned_types(columns), **stamp_types(stamp)}


def _described(rows: DataFrame, found: StructType) -> DataFrame:
    """Return the frame with the comments that its columns have at the target."""
    comments = {field.name.casefold(): field.metadata.get("comment") for field in found.fields}

    def described(name: str) -> Column:
        # Quoted: a name may have a dot in it.
        column, comment = rows[quoted(name)], comments.get(name.casefold())
        return column.alias(name, metadata={"comment": comment}) if comment else column

    return rows.select(*map(described, rows.columns))
