"""What a loader does at the source itself, beside the engine's reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.sources.model import Dependencies, DescribedColumn


class SnapshotKind(StrEnum):
    """How far one state of the source reaches. ``receipt.snapshot`` takes these values."""

    #: Every connection of the read can see the very state that the session sees.
    EXPORTED = "exported"
    #: Only the session sees one state; a read must not be split.
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One state of the source, held for as long as the session lives."""

    kind: SnapshotKind
    #: What a reading connection names to see as much of it as connections share, or None.
    id: str | None
    #: What else it sets, by the source's names, to see the same rows and to read the same texts.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: What the relation was made of before it, by which its connections are to find the same tables.
    made: Dependencies = field(default_factory=Dependencies)

    @property
    def shared(self) -> bool:
        """Whether every connection of the read sees all of it as the session does."""
        return self.kind is SnapshotKind.EXPORTED


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a load's queries do at the source at one moment; nothing moves between two equal ones."""

    #: A query is being computed, or waits for something at the source itself.
    busy: bool
    #: One text for each connection; it changes whenever rows are asked for or sent.
    marks: frozenset[str]


class SourceSession(Protocol):
    """One connection to the source, used by one load. Errors are ours and free of secrets."""

    @property
    def endpoint(self) -> Endpoint:
        """How the source is reached: as asked for, but without what it turned out not to take."""

    def describe(self, relation: str) -> tuple[DescribedColumn, ...]:
        """Return the relation's columns in order. After :meth:`open_snapshot` they cannot change any more."""

    def hold(self, relation: str) -> Dependencies:
        """Wait for whoever rebuilds the relation, and let nobody rebuild it from now until :meth:`describe`.

        Returns what it is made of.

        Before :meth:`open_snapshot`: a state from before a table was emptied or rewritten may show no rows
        once that is committed, and never shows the new ones.
        """

    def open_snapshot(self) -> Snapshot:
        """Hold one state of the source until the session closes; later statements see only that.

        A statement that fails afterwards ends the snapshot.
        """

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one read-only statement."""

    def query_beside(self, init: str, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of one statement over a new connection, which runs ``init`` first, as reads do.

        Its time is its own, and so is whatever else a source has for each connection.
        """

    def cancel_reads(self) -> None:
        """End what this load still runs at the source, over a second connection; from any thread."""

    def activity(self) -> Activity | None:
        """Return what the load's queries do, asked over a connection of its own, from one other thread.

        None where the load waits for no answer of the source, or where that cannot be seen. Where the server
        that the load has been seen at is away, and another one or a new start of it answers that knows
        nothing of the load, nothing is busy and there are no marks: what the load waits for comes no more.
        May hang as long as the source does.
        """

    def abandon(self) -> None:
        """Make a query under way fail at once, from any thread; nothing can be asked any more."""

    def close(self) -> None:
        """End the session and its snapshot; may be called twice."""
