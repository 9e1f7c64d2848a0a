"""The verbs that strategies are written in. An engine implements them; no strategy sees its data.

Every write takes one :class:`~airflow_dataloader.core.commit.Commit` and is exactly-once by it: a write
whose commit is already in the target's history returns what that commit did, and does nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.comparison import Compared, PartDifferences, PartDigest
from airflow_dataloader.core.maintenance import Upkeep
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.plan import PlannedColumn, ReadPlan

#: Every stage's name begins with it; an engine removes no table of another name.
STAGE_PREFIX = "_adl_stage_"


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One of our commits, found in a target's history."""

    #: Version of the table that the commit made.
    table_version: int
    commit: Commit
    #: The engine's own counters of that commit, as integers.
    metrics: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target as it stands."""

    version: int
    #: Column name to type, both as the target spells them, in order; types in lower case.
    columns: Mapping[str, str]
    #: Commits by the asked writer, newest first, as far back as the history reaches.
    commits: tuple[HistoryEntry, ...]
    #: Whether the table holds at least one row.
    filled: bool
    #: Whether it still is the table that the asked writer published to last: not made anew, restored or
    #: replaced since that writer's load had looked at it, nor loaded under another name. People's own changes
    #: of rows do not count.
    continuous: bool
    #: Tells its version from the one with the same number of a table that was made anew.
    digest: str = ""
    #: Whether a fence has made it, and nobody has ever done more to it.
    blank: bool = False
    #: Columns that its files are partitioned by, as it spells them.
    partitioned_by: tuple[str, ...] = ()
    #: As ``commits``, by the writers of all other rows and installations.
    commits_of_others: tuple[HistoryEntry, ...] = ()

    @property
    def published(self) -> tuple[HistoryEntry, ...]:
        """Those commits that changed rows, newest first; a fence does not count."""
        return tuple(entry for entry in self.commits if entry.commit.publishes)

    @property
    def newest_published(self) -> HistoryEntry | None:
        """The newest commit that changed rows; None: there is none, as far back as the history reaches."""
        return next(iter(self.published), None)

    @property
    def origins(self) -> tuple[HistoryEntry, ...]:
        """Commits by which its rows may have come, as far as the history tells; the asked writer's own first.

        The newest one speaks for all before it, unless somebody has put another table in this one's place
        since: that may be any earlier state of it.
        """
        if self.continuous:
            return self.published[:1]
        others = (entry for entry in self.commits_of_others if entry.commit.publishes)
        return (*self.published, *others)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What one write did to the target."""

    version: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    #: Rows that the write took from the source side: after deduplication for a merge.
    rows_in: int = 0
    #: Values that value_policy ``null`` replaced; None where the write could not count them.
    values_replaced: int | None = None
    #: Rows among ``rows_in`` that the target held already; None where the write does not look.
    rows_present: int | None = None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Rows kept between reading and publishing, private to one load."""

    name: TargetName
    columns: tuple[PlannedColumn, ...]
    rows: int
    #: Rows with NULL in any key column.
    null_keys: int = 0
    #: Rows with NULL in the cursor column.
    null_cursors: int = 0
    values_replaced: int = 0


@dataclass(frozen=True, kw_only=True)
class Deduplication:
    """How one row a key is chosen: the newest cursor, exact ties by all columns."""

    #: Target names of the key columns. Rows with NULL in one of them are left out. Empty: rows have no key.
    keys: tuple[str, ...]
    #: Target name of the cursor column, or None to decide by all columns alone.
    cursor: str | None
    #: Whether the rows to choose from are the newest that the source has of their keys. A row of the target
    #: that is newer still is one that the source has no more.
    newest: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyComparison:
    """How a target's rows compare with all keys that the source has."""

    #: Rows that are not marked as deleted.
    held: int
    #: Those among them whose key the source does not have.
    gone: int
    #: Rows with NULL in the key: the source cannot be asked for them.
    keyless: int
    #: Marked rows whose key the source has again, and no row that is not marked.
    returned: int
    #: Marked rows whose key the source still does not have.
    marked: int
    #: Keys that the source has and no row of the target, marked or not.
    missing: int


@dataclass(frozen=True, kw_only=True)
class TargetRows:
    """A target's rows at one version, as far as they are compared."""

    target: TargetName
    version: int
    #: Predicate (:mod:`.target_sql`), or None for all rows.
    where: str | None = None


@dataclass(frozen=True, kw_only=True)
class Optimized:
    """What compacting a target did; all 0 where there was nothing to do."""

    files_added: int
    files_removed: int
    bytes_added: int
    bytes_removed: int


@dataclass(frozen=True, kw_only=True)
class Vacuumed:
    """Files that were deleted, and their bytes."""

    files_deleted: int
    bytes_deleted: int


class Rows(Protocol):
    """A planned read that has not run yet; only the engine that made it can look inside."""

    @property
    def plan(self) -> ReadPlan:
        """The plan that it will execute."""


class Engine(Protocol):
    """An engine session, used by one load at a time."""

    @property
    def parallelism(self) -> int:
        """Reads that can run at the same time."""

    def inspect(self, target: TargetName, app_id: str, *, back_to: int | None = None) -> Target | None:
        """Return the target as it stands, or None if it certainly does not exist.

        Its commits reach back to epoch ``back_to`` at least, or as far as they are kept; so do those of a
        target that is not continuous.
        """

    def outcome(self, entry: HistoryEntry) -> Written:
        """Return what a commit in a target's history did."""

    def read(self, plan: ReadPlan) -> Rows:
        """Prepare a read. Nothing is sent to the source before a write or a stage asks for it."""

    def stage(self, rows: Rows, name: TargetName, dedup: Deduplication | None) -> Stage:
        """Execute a read into a new stage and count what a receipt needs. An existing one is replaced."""

    def duplicates(self, side: Stage | TargetName, keys: Sequence[str], limit: int) -> list[tuple[str, ...]]:
        """Return the first ``limit`` keys that several rows have, as texts; binary as hexadecimal."""

    def null_keys(
        self, stage: Stage, keys: Sequence[str], names: Sequence[str], limit: int
    ) -> list[tuple[str | None, ...]]:
        """Return the columns ``names`` of the first ``limit`` rows with NULL in a key, as texts as above."""

    def count_keys(self, stage: Stage, keys: Sequence[str]) -> int:
        """Return how many keys a stage's rows have; one with NULL in it is none."""

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
        """Replace the whole table and its columns in one commit; readers keep the old version until then.

        ``keep_columns``: columns and types stay the target's, but for types that must become wider; what the
        data lacks is NULL. ``cluster_by``: columns that the table is clustered by if nobody has chosen
        clusters or partitions for it.
        """

    def append(self, target: TargetName, data: Rows | Stage, commit: Commit) -> Written:
        """Add rows, and new columns, to a target that is there."""

    def merge(self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication) -> Written:
        """Insert new keys and update those that differ and whose cursor is not older than the target's."""

    def append_missing(
        self, target: TargetName, stage: Stage, commit: Commit, dedup: Deduplication
    ) -> Written:
        """Add the rows that the target does not hold: by key, or without one as whole rows, each counted.

        Whole rows are compared over all columns of the stage, of which the target's rows have NULL in those
        that it lacks: of a row that was staged three times and is held twice, one is added. Raises
        SchemaRefused where rows of the target have been given a value since, and would be added again.
        """

    def compare_keys(
        self, target: TargetName, keys: Stage, *, mark: bool, repeated: bool = False
    ) -> KeyComparison:
        """Compare the target's rows with a stage of keys, whose columns are nothing but the key's.

        ``mark``: give the target the column that deleted rows are marked in, if it lacks it. ``repeated``: a
        key may have rows with a mark and without one.
        """

    def delete_gone(
        self, target: TargetName, keys: Stage, commit: Commit, *, mark: bool, repeated: bool = False
    ) -> Written:
        """Delete the rows whose key is not in the stage; ``mark``: mark those that are not marked yet.

        A mark is taken off a row whose key is there, but for keys that have a row without a mark already, by
        ``repeated``. Rows with NULL in the key stay as they are.
        """

    def replace_slice(
        self, target: TargetName, data: Rows | Stage, predicate: str, commit: Commit
    ) -> Written:
        """Replace exactly the target's rows that satisfy ``predicate`` (:mod:`.target_sql`)."""

    def fence(
        self,
        target: TargetName,
        columns: Sequence[PlannedColumn],
        commit: Commit,
        *,
        cluster_by: Sequence[str] = (),
    ) -> int:
        """Commit nothing but the commit's version, so that no older write can land; return the table version.

        An absent target is created empty with ``columns``, clustered by ``cluster_by``.
        """

    def count(self, target: TargetName, predicate: str | None = None) -> int:
        """Return how many rows the target holds, or how many that satisfy ``predicate`` (the same SQL)."""

    def digests(
        self,
        side: Rows | TargetRows,
        compared: Compared,
        *,
        dedup: Deduplication | None = None,
        without: Rows | None = None,
    ) -> Mapping[int, PartDigest]:
        """Digest the canonical texts of a side's rows, for each part that has rows.

        ``dedup`` leaves one row a key of a planned read, ``without`` leaves out the keys of another read.
        """

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
        """Return how these parts differ, those that do, each with the first ``limit`` keys that do."""

    def rows(self, target: TargetName, columns: Sequence[str] | None = None) -> list[tuple[Any, ...]]:
        """Return the target's rows for a check; for small tables only."""

    def upkeep(self, target: TargetName, since: datetime) -> Upkeep | None:
        """Return when the target was maintained last, looking back to ``since``; None: it does not exist."""

    def optimize(self, target: TargetName) -> Optimized | None:
        """Compact small files and cluster what is not yet; no row changes.

        None: another transaction got in the way, and nothing was done. A load whose write meets this one
        writes again.
        """

    def vacuum(self, target: TargetName) -> Vacuumed:
        """Delete the files that no version needs which the target's own retention keeps readable."""

    def stages(self, beside: TargetName) -> list[TargetName]:
        """Return the stages in the schema of ``beside``, whosever they are, half removed ones too."""

    def drop_stage(self, name: TargetName) -> None:
        """Remove a stage, for its readers all of it at once; one that does not exist is fine."""

    def interrupt(self) -> None:
        """Stop whatever this session runs, from another thread. What was not committed never will be."""

    def close(self) -> None:
        """End the session; may be called twice."""
