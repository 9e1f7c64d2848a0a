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
    HistoryEntry,
    KeyComparison,
    Optimized,
    Rows,
    Stage,
    Target,
    TargetRows,
    Vacuumed,
    Written,
)
from airflow_dataloader.loader.engines.spark import (
    compare,
    delete_scan,
    errors,
    history,
    maintenance,
    publish,
    tables,
)
from airflow_dataloader.loader.engines.spark.append_missing import append_missing
from airflow_dataloader.loader.engines.spark.context import Context
from airflow_dataloader.loader.engines.spark.fence import fence
from airflow_dataloader.loader.engines.spark.keys import count_keys, duplicate_keys, null_keys
from airflow_dataloader.loader.engines.spark.layout import partitions
from airflow_dataloader.loader.engines.spark.merge import merge
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
        """See :meth:`.Engine.inspect`."""
        location = self._context.names.locate(target)
        spark = self._context.spark
        with self._verb(f"looking at {target}"):
            schema = tables.schema(spark, location)
            if schema is None:
                return None
            past = history.read_back_to(spark, location, app_id, back_to)
            if past.version is None:
                tables.refuse_not_delta(spark, location, target)
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
                partitioned_by=partitions(spark, location),
                commits_of_others=past.others,
            )

    def outcome(self, entry: HistoryEntry) -> Written:
        """See :meth:`.Engine.outcome`."""
        return history.written(entry)

    def read(self, plan: ReadPlan) -> Rows:
        """See :meth:`.Engine.read`."""
        return JdbcRows(plan=plan)

    def stage(self, rows: Rows, name: TargetName, dedup: Deduplication | None) -> Stage:
        """See :meth:`.Engine.stage`."""
        with self._verb(f"staging {name}"):
            return write_stage(self._context, rows, name, dedup)

    def duplicates(self, side: Stage | TargetName, keys: Sequence[str], limit: int) -> list[tuple[str, ...]]:
        """See :meth:`.Engine.duplicates`."""
        with self._verb(f"looking for duplicate keys in {side.name if isinstance(side, Stage) else side}"):
            return duplicate_keys(self._context, side, keys, limit)

    def null_keys(
        self, stage: Stage, keys: Sequence[str], names: Sequence[str], limit: int
    ) -> list[tuple[str | None, ...]]:
        """See :meth:`.Engine.null_keys`."""
        with self._verb(f"looking for rows without a key in {stage.name}"):
            return null_keys(self._context, stage, keys, names, limit)

    def count_keys(self, stage: Stage, keys: Sequence[str]) -> int:
        """See :meth:`.Engine.count_keys`."""
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
        """See :meth:`.Engine.overwrite`."""
        with self._verb(f"overwriting {target}"):
            return publish.overwrite(
                self._context,
                target,
                data,
                commit,
                dedup=dedup,
                keep_columns=keep_columns,
                cluster_by=cluster_by,
            )

    def append(self, target: TargetName, data: Rows | Stage, commit: Commit) -> Written:
        """See :meth:`.Engine.append`."""
        with self._verb(f"appending to {target}"):
            return publish.append(self._context, target, data, commit)

    def merge(self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication) -> Written:
        """See :meth:`.Engine.merge`."""
        with self._verb(f"merging into {target}"):
            return merge(self._context, target, stage, commit, dedup)

    def append_missing(
        self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
    ) -> Written:
        """See :meth:`.Engine.append_missing`."""
        with self._verb(f"appending what is missing to {target}"):
            return append_missing(self._context, target, stage, commit, dedup)

    def compare_keys(
        self, target: TargetName, keys: Stage, *, mark: bool, repeated: bool = False
    ) -> KeyComparison:
        """See :meth:`.Engine.compare_keys`."""
        with self._verb(f"comparing keys of {target}"):
            return delete_scan.compare_keys(self._context, target, keys, mark=mark, repeated=repeated)

    def delete_gone(
        self, target: TargetName, keys: Stage, commit: Commit, *, mark: bool, repeated: bool = False
    ) -> Written:
        """See :meth:`.Engine.delete_gone`."""
        with self._verb(f"deleting from {target}"):
            return delete_scan.delete_gone(self._context, target, keys, commit, mark=mark, repeated=repeated)

    def replace_slice(
        self, target: TargetName, data: Rows | Stage, predicate: str, commit: Commit
    ) -> Written:
        """See :meth:`.Engine.replace_slice`."""
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
        """See :meth:`.Engine.fence`."""
        with self._verb(f"fencing {target}"):
            return fence(self._context, target, columns, commit, cluster_by)

    def count(self, target: TargetName, predicate: str | None = None) -> int:
        """See :meth:`.Engine.count`."""
        with self._verb(f"counting {target}"), self._context.interrupts.statement():
            return tables.count(self._context.spark, self._context.names.locate(target), predicate)

    def digests(
        self,
        side: Rows | TargetRows,
        compared: Compared,
        *,
        dedup: Deduplication | None = None,
        without: Rows | None = None,
    ) -> Mapping[int, PartDigest]:
        """See :meth:`.Engine.digests`."""
        with self._verb("digesting"):
            return compare.digests(self._context, side, compared, dedup, without)

    def differences(
        self,
        rows: Rows,
        held: TargetRows,
        compared: Compared,
        numbers: Collection[int],
        *,
        dedup: Deduplication | None = None,
        without: Rows | None = None,
        limit: int,
    ) -> Sequence[PartDifferences]:
        """See :meth:`.Engine.differences`."""
        with self._verb(f"comparing {held.target}"):
            return compare.differences(
                self._context, rows, held, compared, numbers, dedup=dedup, without=without, limit=limit
            )

    def rows(self, target: TargetName, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """See :meth:`.Engine.rows`."""
        with self._verb(f"reading {target}"):
            return rows(self._context.spark, self._context.names.locate(target), columns)

    def upkeep(self, target: TargetName, since: datetime) -> Upkeep | None:
        """See :meth:`.Engine.upkeep`."""
        with self._verb(f"looking at {target}"):
            return maintenance.upkeep(self._context.spark, self._context.names.locate(target), since)

    def optimize(self, target: TargetName) -> Optimized | None:
        """See :meth:`.Engine.optimize`."""
        with self._verb(f"compacting {target}"):
            return maintenance.optimize(self._context, self._context.names.locate(target))

    def vacuum(self, target: TargetName) -> Vacuumed:
        """See :meth:`.Engine.vacuum`."""
        with self._verb(f"vacuuming {target}"):
            return maintenance.vacuum(self._context, self._context.names.locate(target))

    def stages(self, beside: TargetName) -> list[TargetName]:
        """See :meth:`.Engine.stages`."""
        with self._verb(f"looking for stages beside {beside}"):
            return list_stages(self._context, beside)

    def drop_stage(self, name: TargetName) -> None:
        """See :meth:`.Engine.drop_stage`."""
        if not name.table.startswith(STAGE_PREFIX):
            raise ValueError(f"{name} is not a stage")
        location = self._context.names.locate(name)
        with self._verb(f"removing {name}"):
            tables.drop(self._context.spark, location)

    def interrupt(self) -> None:
        """See :meth:`.Engine.interrupt`."""
        self._context.interrupts.interrupt()

    def close(self) -> None:
        """See :meth:`.Engine.close`."""
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
