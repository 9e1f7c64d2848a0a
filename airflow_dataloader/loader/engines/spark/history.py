"""A table's own history: the place where a write's outcome is looked up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from airflow_dataloader.core.commit import Commit, parse_user_metadata
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Written
from airflow_dataloader.loader.engines.spark import errors
from airflow_dataloader.loader.engines.spark.continuity import digest, is_blank, is_continuous
from airflow_dataloader.loader.engines.spark.names import Location
from airflow_dataloader.loader.engines.spark.sql import select

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

log = logging.getLogger(__name__)

#: How far back to look, until what is looked for is found; None: the whole history. Our own commit is nearly
#: always the newest, and each further one costs a file.
_STRETCHES = (3, 20, None)


def find(spark: SparkSession, location: Location, commit: Commit) -> HistoryEntry | None:
    """Return the entry of this very commit: among the newest ones first, then in the whole history.

    None if there is no such entry, or certainly no such table. Spark's own errors pass through.
    """
    for limit in _STRETCHES:
        past = read(spark, location, commit.app_id, limit)
        for entry in past.entries:
            if entry.commit.identity == commit.identity:
                return entry
        if past.whole:
            break
    return None


@dataclass(frozen=True, kw_only=True)
class Past:
    """A stretch of a table's history: its newest version, and one writer's commits, newest first."""

    version: int | None
    #: Of the newest version's entry.
    digest: str = ""
    entries: tuple[HistoryEntry, ...]
    #: Commits of other writers of ours, alike.
    others: tuple[HistoryEntry, ...] = ()
    #: Whether the stretch reaches back as far as the history is kept.
    whole: bool
    #: Whether the writer has published, and nobody has replaced the table or loaded it under another name
    #: since what that commit was made over; None: the stretch does not reach back as far as that.
    continuous: bool | None
    #: Whether the stretch is the whole history and holds fences only, one of which has made the table.
    blank: bool = False

    @property
    def fills(self) -> bool:
        """Whether the newest version is a commit of the writer's own that left rows in the table.

        False proves nothing: what commits of others left is not looked at.
        """
        newest = self.entries[0] if self.entries else None
        if newest is None or newest.table_version != self.version:
            return False
        done = written(newest)
        return done.rows_inserted + done.rows_updated > 0


def read(spark: SparkSession, location: Location, app_id: str, limit: int | None) -> Past:
    """Read the last ``limit`` commits, or all that are kept; what is no Delta table has no version."""
    bound = "" if limit is None else f" LIMIT {limit}"
    try:
        frame = spark.sql(f"DESCRIBE HISTORY {location.sql}{bound}")
        rows = frame.select(
            "version", "operation", "operationParameters", "operationMetrics", "userMetadata"
        ).collect()
    except Exception as error:
        seen = errors.report(error)
        if errors.is_absent(seen) or seen.has(*errors.NOT_DELTA):
            return Past(version=None, entries=(), whole=True, continuous=False)
        raise
    found = [_entry(row) for row in rows]
    ours = [entry for entry in found if entry is not None]
    whole = limit is None or len(rows) < limit
    return Past(
        version=int(rows[0].version) if rows else None,
        digest=digest(rows[0]) if rows else "",
        entries=tuple(entry for entry in ours if entry.commit.app_id == app_id),
        others=tuple(entry for entry in ours if entry.commit.app_id != app_id),
        whole=whole,
        continuous=is_continuous(
            rows, found, app_id, whole=whole, emptied=partial(_is_empty, spark, location)
        ),
        blank=whole and is_blank(rows, found),
    )


def _is_empty(spark: SparkSession, location: Location, version: int) -> bool:
    """Return whether a version has no rows, or none that anybody could look at any more."""
    try:
        return spark.sql(select("1", f"{location.sql} VERSION AS OF {int(version)}")).isEmpty()
    except Exception as error:
        if errors.is_lost(errors.report(error), error):
            raise
        log.warning("Version %s of %s cannot be read: %s", version, location.sql, type(error).__name__)
        return True


def read_back_to(spark: SparkSession, location: Location, app_id: str, epoch: int | None) -> Past:
    """Read as few of the newest commits as answer what a load asks, or the whole history.

    They do with a commit older than ``epoch`` among them, one that has published, and no table put in this
    one's place since: that may be any earlier state. A scan for deleted rows is none of them: it does not say
    how far the row has been read.
    """
    for limit in _STRETCHES:
        past = read(spark, location, app_id, limit)
        published = any(entry.commit.brings_rows for entry in past.entries)
        enough = epoch is not None and any(entry.commit.epoch < epoch for entry in past.entries) and published
        if past.whole or (enough and past.continuous):
            break
    return past


def _entry(row: Row) -> HistoryEntry | None:
    commit = parse_user_metadata(row.userMetadata)
    # A compaction that Delta does by itself after a write of ours carries that write's text.
    if commit is None or str(row.operation).upper().startswith("OPTIMIZE"):
        return None
    metrics = {
        name: int(text) for name, text in (row.operationMetrics or {}).items() if text.lstrip("-").isdigit()
    }
    return HistoryEntry(table_version=int(row.version), commit=commit, metrics=metrics)


def written(entry: HistoryEntry, *, values_replaced: int | None = None) -> Written:
    """Return what a commit did, from the counters that Delta stored with it."""
    metrics = entry.metrics
    if "numSourceRows" in metrics:
        # The only rows that a merge of ours updates although its source lacks them are marked as deleted.
        marked = metrics.get("numTargetRowsNotMatchedBySourceUpdated", 0)
        return Written(
            version=entry.table_version,
            rows_inserted=metrics.get("numTargetRowsInserted", 0),
            rows_updated=metrics.get("numTargetRowsUpdated", 0) - marked,
            rows_deleted=metrics.get("numTargetRowsDeleted", 0) + marked,
            rows_in=metrics["numSourceRows"],
            values_replaced=values_replaced,
        )
    # A replaced slice rewrites the files it lies in; rows that were only carried over are not rows in.
    rows = metrics.get("numOutputRows", 0) - metrics.get("numCopiedRows", 0)
    return Written(
        version=entry.table_version,
        rows_inserted=rows,
        rows_deleted=metrics.get("numDeletedRows", 0),
        rows_in=rows,
        values_replaced=values_replaced,
    )
