"""Compares the demo's targets with their sources: PostgreSQL digests one side, the workspace the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.workspace.demo.deadline import Deadline
from airflow_dataloader.workspace.demo.loads import Load
from airflow_dataloader.workspace.demo.row_digest import Digest, source_digest
from airflow_dataloader.workspace.demo.tasks import digest
from airflow_dataloader.workspace.demo.workspace_client import WorkspaceClient

_TRIES = 3
#: Seconds that looking at all tables may take.
_PATIENCE = 600.0

#: What digests Delta tables by their folders.
Digests = Callable[[Sequence[Path]], Mapping[Path, Digest]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Source and warehouse, and how the latter is looked at."""

    source_url: str = field(repr=False)
    warehouse: Path
    digests: Digests
    #: Waits a moment; raises if waiting has become pointless.
    pause: Callable[[], None]

    def equal(self, loads: Sequence[Load]) -> list[bool]:
        """Say of each load whether its target equals its source; a load that failed makes no equal target.

        A source that is away for a while is waited for.
        """
        folders = {load.id: self._folder(load.config) for load in loads if load.succeeded}
        targets = self.digests(list(folders.values()))
        deadline = Deadline("The comparison", _PATIENCE, self.pause, fix="see the server's log")
        sources = deadline.insist(lambda: self._sources([load for load in loads if load.id in folders]))
        return [load.id in folders and targets[folders[load.id]] == sources[load.id] for load in loads]

    def _sources(self, loads: Sequence[Load]) -> dict[int, Digest]:
        with closing(psycopg.connect(self.source_url, autocommit=True)) as source:
            return {load.id: source_digest(source, _relation(load.config)) for load in loads}

    def _folder(self, config: LoadConfig) -> Path:
        target = config.target
        return self.warehouse.joinpath(
            *(part.lower() for part in (target.catalog, target.schema, target.table))
        )


@dataclass(frozen=True, kw_only=True)
class WorkspaceDigests:
    """Has the workspace digest tables with its Spark, past everything that loads."""

    workspace: WorkspaceClient
    #: Where the answer goes.
    file: Path
    pause: Callable[[], None]

    def __call__(self, folders: Sequence[Path]) -> dict[Path, Digest]:
        """Return each table's digest; raise EngineFailed if the workspace cannot tell."""
        if not folders:
            return {}
        parameters = [str(self.file), *map(str, folders)]
        deadline = Deadline("The comparison", _PATIENCE, self.pause, fix="see the workspace's log")
        for left in reversed(range(_TRIES)):
            try:
                self.workspace.run("demo digests", Path(digest.__file__), parameters, deadline.pause)
                break
            except EngineFailed:
                # Whoever kills the workspace kills the Spark that runs this.
                if not left:
                    raise
        found = json.loads(self.file.read_text())
        return {Path(folder): Digest(**values) for folder, values in found.items()}


def _relation(config: LoadConfig) -> str:
    """Return what a load reads, as a FROM item."""
    return f"({config.query}) AS q" if config.query else f'"{config.source.schema}"."{config.source.name}"'
