"""OPTIMIZE and VACUUM, and what a table's history tells of the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_dataloader.core.maintenance import Upkeep
from airflow_dataloader.loader.engines.protocol import Optimized, Vacuumed
from airflow_dataloader.loader.engines.spark import errors, tables
from airflow_dataloader.loader.engines.spark.confs import session_confs
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.names import Location

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

_OPTIMIZE, _VACUUM, _VACUUM_END = "OPTIMIZE", "VACUUM", "VACUUM END"

#: How far back to look, until what is looked for is found, or must be older than anybody minds.
_STRETCHES = (20, 500, None)

#: On some storages Delta records a VACUUM only if told to; without a record it would be due again at once.
_RECORDED = {"spark.databricks.delta.vacuum.logging.enabled": "true"}

_RETENTION = "delta.deletedFileRetentionDuration"
_DEFAULT_RETENTION = "interval 1 week"


def upkeep(spark: SparkSession, location: Location, since: datetime) -> Upkeep | None:
    """Return when the table was maintained last, looking back to ``since``; None if it does not exist."""
    if tables.schema(spark, location) is None:
        return None
    for limit in _STRETCHES:
        rows = _history(spark, location, limit)
        times = [_last(rows, _OPTIMIZE), _last(rows, _VACUUM_END)]
        if limit is None or len(rows) < limit or _time(rows[-1]) < since or None not in times:
            break
    others = [row for row in rows if not row.operation.startswith((_OPTIMIZE, _VACUUM))]
    return Upkeep(
        optimized_at=times[0],
        vacuumed_at=times[1],
        changed_at=_time(others[0]) if others else None,
        retention=_retention(spark, location),
    )


def optimize(context: Context, location: Location) -> Optimized | None:
    """Compact small files, or cluster; None if another transaction got in the way, and nothing changed."""
    try:
        with context.interrupts.statement():
            (row,) = context.spark.sql(f"OPTIMIZE {location.sql}").select("metrics").collect()
    except Exception as error:
        if errors.is_conflict(error):
            return None
        raise
    metrics = row.metrics
    return Optimized(
        files_added=metrics.numFilesAdded,
        files_removed=metrics.numFilesRemoved,
        bytes_added=metrics.filesAdded.totalSize,
        bytes_removed=metrics.filesRemoved.totalSize,
    )


def vacuum(context: Context, location: Location) -> Vacuumed:
    """Delete files that no version of the table's retention needs."""
    # A number of hours would be ignored: Delta 4 goes by the table's own retention and nothing else.
    with context.interrupts.statement(), session_confs(context.spark, _RECORDED):
        context.spark.sql(f"VACUUM {location.sql}").collect()
    rows = _history(context.spark, location, _STRETCHES[0])
    # A start is recorded before its end, so the newest of both are this one's.
    started = next((row for row in rows if row.operation == f"{_VACUUM} START"), None)
    ended = next((row for row in rows if row.operation == _VACUUM_END), None)
    return Vacuumed(
        files_deleted=_count(ended, "numDeletedFiles"), bytes_deleted=_count(started, "sizeOfDataToDelete")
    )


def _history(spark: SparkSession, location: Location, limit: int | None) -> list[Row]:
    bound = "" if limit is None else f" LIMIT {limit}"
    frame = spark.sql(f"DESCRIBE HISTORY {location.sql}{bound}")
    columns = ("operation", "operationParameters", "operationMetrics")
    # Spark's own timestamps arrive in the zone of this machine.
    return frame.selectExpr("unix_micros(timestamp) AS micros", *columns).collect()


def _last(rows: Sequence[Row], operation: str) -> datetime | None:
    found = (row for row in rows if row.operation == operation and not _failed(row) and not _by_itself(row))
    return next((_time(row) for row in found), None)


def _failed(row: Row) -> bool:
    return (row.operationParameters or {}).get("status") == "FAILED"


def _by_itself(row: Row) -> bool:
    """Return whether Delta compacted a few small files of the write before: that clusters nothing."""
    return (row.operationParameters or {}).get("auto") == "true"


def _time(row: Row) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=row.micros)


def _count(row: Row | None, name: str) -> int:
    return int((row.operationMetrics or {}).get(name, 0)) if row is not None else 0


def _retention(spark: SparkSession, location: Location) -> timedelta:
    (detail,) = spark.sql(f"DESCRIBE DETAIL {location.sql}").select("properties").collect()
    text = (detail.properties or {}).get(_RETENTION, _DEFAULT_RETENTION)
    # Spark wrote it, and Spark reads it: people may give it in any unit.
    (row,) = (
        spark.createDataFrame([(text,)], "text STRING")
        .selectExpr(
            "unix_micros(TIMESTAMP'2000-01-01 00:00:00' + CAST(text AS INTERVAL)) "
            "- unix_micros(TIMESTAMP'2000-01-01 00:00:00') AS micros"
        )
        .collect()
    )
    return timedelta(microseconds=row.micros)
