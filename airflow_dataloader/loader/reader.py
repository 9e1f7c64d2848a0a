"""Whoever reads a row's source, with what it has found out there: a load, or a look that takes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint, PlannedColumn
from airflow_dataloader.loader.engines.protocol import Engine, Target
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind, SourceSession
from airflow_dataloader.sources.dialect import Dialect
from airflow_dataloader.sources.model import DescribedColumn


@dataclass(kw_only=True)
class Reader(ABC):
    """The tools of a read, and then what is filled in as it goes on."""

    engine: Engine
    session: SourceSession
    dialect: Dialect
    journal: Journal

    #: The target as it stands, for a load after the fence; None: it does not exist, or nobody has looked yet.
    target: Target | None = None
    #: FROM item in the source's SQL; empty until planned.
    relation: str = ""
    #: What the reader sees of the source.
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(id=None, kind=SnapshotKind.NONE))
    #: The source's columns, and what becomes of them; empty until planned.
    described: tuple[DescribedColumn, ...] = ()
    columns: tuple[PlannedColumn, ...] = ()
    #: Counts a row's replaced values (:class:`~airflow_dataloader.core.plan.ReadPlan`).
    replaced: str | None = None

    @property
    @abstractmethod
    def config(self) -> LoadConfig:
        """The row's configuration."""

    @property
    def endpoint(self) -> Endpoint:
        """How the source is reached."""
        return self.session.endpoint

    @property
    def partitioned_by(self) -> tuple[str, ...]:
        """Columns that the target is partitioned by, by its own names."""
        return () if self.target is None else self.target.partitioned_by
