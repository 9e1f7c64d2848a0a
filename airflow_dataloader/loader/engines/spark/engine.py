"""The verbs of :mod:`airflow_dataloader.loader.engines.protocol`, by Spark and Delta."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.comparison import Compared, PartDifferences, PartDigest
from airflow_dataloader.core.maintenance import Upkeep
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, ReadPlan
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.engines.protocol import (
    STAGE_PREFIX,
    Deduplication,
    Held,
    HistoryEntry,
    KeyComparison,
    Optimized,
    Rows,
    Stage,
    Target,
    Vacuumed,
    Written,
)
from airflow_dataloader.loader.engines.spark import (
    compare,
    errors,
    gone,
    history,
    layout,
    maintenance,
    publish,
    tables,
)
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.fence import fence
from airflow_dataloader.loader.engines.spark.keys import count_keys, duplicate_keys
from airflow_dataloader.loader.engines.spark.merge import merge
from airflow_dataloader.loader.engines.spark.missing import append_missing
from airflow_dataloader.loader.engines.spark.read import JdbcRows
from airflow_dataloader.loader.engines.spark.rows import rows
from airflow_dataloader.loader.engines.spark.stage import list_stages, write_stage


class SparkEngine:
    """One Spark session, classic or through Spark Connect; several loads may use it one after another."""

    def __init__(self, context: Context, end: Callable[[], None]) -> None:
        """``end`` releases the session; it is called once."""
        self._context = context
        self._end: Callable[[], None] | None = end

    @cached_property
    def parallelism(self) -> int:
        """Reads that can run at the same time: the tasks that Spark makes of a plain range."""
        with self._verb("asking for the parallelism"):
            text = (
                "SELECT COUNT(DISTINCT p) AS n FROM (SELECT SPARK_PARTITION_ID() AS p FROM RANGE(0, 10000))"
            )
            return int(self._context.spark.sql(text).collect()[0].n)

    def inspect(self, target: TargetName, app_id: str, *, back_to: int | None = None) -> Target | None:
        """Return the target as it stands, or None if it certainly does not exist."""
        location = self._context.names.locate(target)
        spark = self._context.spark
        with self._verb(f"looking at {target}"):
            schema = tables.schema(spark, location)
            past = history.read_back_to(spark, location, app_id, back_to)
            if schema is None or past.version is None:
                return None
            return Target(
                version=past.version,
                columns=tables.types(schema),
                commits=past.entries,
                # Looking into the table makes Delta list its files: half of a small load's time.
                filled=past.fills or tables.is_filled(spark, location),
                continuous=bool(past.continuous),
                digest=past.digest,
                blank=past.blank,
            )

    def outcome(self, entry: HistoryEntry) -> Written:
        """Return what a commit in a target's history did."""
        return history.written(entry)

    def read(self, plan: ReadPlan) -> Rows:
        """Prepare a read. Nothing is sent to the source before a write or a stage asks for it."""
        return JdbcRows(plan=plan)

    def stage(self, rows: Rows, name: TargetName, dedup: Deduplication | None) -> Stage:
        """Execute a read into a new stage and count what a receipt needs. An existing one is replaced."""
        with self._verb(f"staging {name}"):
            return write_stage(self._context, rows, name, dedup)

    def duplicates(self, side: Stage | TargetName, keys: Sequence[str], limit: int) -> list[tuple[str, ...]]:
        """Return the first ``limit`` keys that several rows have, as texts."""
        with self._verb(f"looking for duplicate keys in {side.name if isinstance(side, Stage) else side}"):
            return duplicate_keys(self._context, side, keys, limit)

    def count_keys(self, stage: Stage, keys: Sequence[str]) -> int:
        """Return how many keys a stage's rows have."""
        with self._verb(f"counting the keys of {stage.name}"):
            return count_keys(self._context, stage, keys)

    def overwrite(
        self,
        target: TargetName,
        data: Rows | Stage,
        commit: Commit,
        dedup: Deduplication | None = None,
        *,
        keep_columns: bool = False,
        cluster_by: Sequence[str] = (),
    ) -> Written:
        """Replace the whole table and its columns in one commit; readers keep the old version until then."""
        with self._verb(f"overwriting {target}"):
            written = publish.overwrite(
                self._context,
                target,
                data,
                commit,
                dedup=dedup,
                keep_columns=keep_columns,
                cluster_by=cluster_by,
            )
            layout.ensure_clustered(self._context, target, cluster_by)
            return written

    def append(self, target: TargetName, data: Rows | Stage, commit: Commit) -> Written:
        """Add rows; new columns are added to the target."""
        with self._verb(f"appending to {target}"):
            return publish.append(self._context, target, data, commit)

    def merge(self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication) -> Written:
        """Insert new keys and update those that differ and whose cursor is not older than the target's."""
        with self._verb(f"merging into {target}"):
            return merge(self._context, target, stage, commit, dedup)

    def append_missing(
        self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
    ) -> Written:
        """Add the rows that the target does not hold: by key, or without one as whole rows, each counted."""
        with self._verb(f"appending what is missing to {target}"):
            return append_missing(self._context, target, stage, commit, dedup)

    def compare_keys(self, target: TargetName, keys: Stage, *, mark: bool) -> KeyComparison:
        """Compare the target's rows with a stage of keys, of which it holds nothing but the key columns."""
        with self._verb(f"comparing keys of {target}"):
            return gone.compare_keys(self._context, target, keys, mark=mark)

    def delete_gone(self, target: TargetName, keys: Stage, commit: Commit, *, mark: bool) -> Written:
        """Delete the rows whose key is not in the stage; ``mark``: mark those that are not marked yet."""
        with self._verb(f"deleting from {target}"):
            return gone.delete_gone(self._context, target, keys, commit, mark=mark)

    def replace_slice(
        self, target: TargetName, data: Rows | Stage, predicate: str, commit: Commit
    ) -> Written:
        """Replace exactly the target's rows that satisfy ``predicate`` (Spark SQL over target columns)."""
        with self._verb(f"replacing a slice of {target}"):
            return publish.replace_slice(self._context, target, data, predicate, commit)

    def fence(
        self,
        target: TargetName,
        columns: Sequence[PlannedColumn],
        commit: Commit,
        *,
        cluster_by: Sequence[str] = (),
    ) -> int:
        """Commit nothing but a version, so that no older write can land; return the table's."""
        with self._verb(f"fencing {target}"):
            return fence(self._context, target, columns, commit, cluster_by)

    def count(self, target: TargetName, predicate: str | None = None) -> int:
        """Return how many rows the target holds, or how many that satisfy ``predicate`` (Spark SQL)."""
        with self._verb(f"counting {target}"):
            return tables.count(self._context.spark, self._context.names.locate(target), predicate)

    def digests(
        self,
        side: Rows | Held,
        compared: Compared,
        *,
        dedup: Deduplication | None = None,
        without: Rows | None = None,
    ) -> Mapping[int, PartDigest]:
        """Digest the canonical texts of a side's rows, for each part that has rows."""
        with self._verb("digesting"):
            return compare.digests(self._context, side, compared, dedup, without)

    def differences(
        self,
        rows: Rows,
        held: Held,
        compared: Compared,
        numbers: Collection[int],
        *,
        dedup: Deduplication | None = None,
        without: Rows | None = None,
        limit: int,
    ) -> Sequence[PartDifferences]:
        """Return how these parts differ, those that do, each with the first ``limit`` keys that do."""
        with self._verb(f"comparing {held.target}"):
            return compare.differences(
                self._context, rows, held, compared, numbers, dedup=dedup, without=without, limit=limit
            )

    def rows(self, target: TargetName, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """Return the target's rows for a check; for small tables only."""
        with self._verb(f"reading {target}"):
            return rows(self._context.spark, self._context.names.locate(target), columns)

    def upkeep(self, target: TargetName, since: datetime) -> Upkeep | None:
        """Return when the target was maintained last, looking back to ``since``; None: it does not exist."""
        with self._verb(f"looking at {target}"):
            return maintenance.upkeep(self._context.spark, self._context.names.locate(target), since)

    def optimize(self, target: TargetName) -> Optimized | None:
        """Compact small files and cluster what is not yet; None: another transaction got in the way."""
        with self._verb(f"compacting {target}"):
            return maintenance.optimize(self._context, self._context.names.locate(target))

    def vacuum(self, target: TargetName) -> Vacuumed:
        """Delete the files that no version needs which the target's own retention keeps readable."""
        with self._verb(f"vacuuming {target}"):
            return maintenance.vacuum(self._context, self._context.names.locate(target))

    def stages(self, beside: TargetName) -> list[TargetName]:
        """Return the stages in the schema of ``beside``, whosever they are, half removed ones too."""
        with self._verb(f"looking for stages beside {beside}"):
            return list_stages(self._context, beside)

    def drop_stage(self, name: TargetName) -> None:
        """Remove a stage, for its readers all of it at once; one that does not exist is fine."""
        if not name.table.startswith(STAGE_PREFIX):
            raise ValueError(f"{name} is not a stage")
        location = self._context.names.locate(name)
        with self._verb(f"removing {name}"):
            tables.drop(self._context.spark, location)

    def interrupt(self) -> None:
        """Stop whatever this session runs, from another thread. What was not committed never will be."""
        self._context.interrupts.interrupt()

    def close(self) -> None:
        """End the session; may be called twice."""
        end, self._end = self._end, None
        if end is not None:
            end()

    @contextmanager
    def _verb(self, doing: str) -> Iterator[None]:
        with self._context.interrupts.verb():
            try:
                yield
            except DataloaderError:
                raise
            except Exception as error:
                raise errors.translate(error, doing) from error
