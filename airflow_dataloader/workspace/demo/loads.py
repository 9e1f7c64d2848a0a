"""Looks into the control database: how far the loads of the demo's tables are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import class_row

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.status import LoadStatus

_NEWEST = """
SELECT DISTINCT ON (config_id) id, config_id, load_status AS status, log_message AS message, airflow_run,
    rows_read, rows_inserted, rows_updated, target_version, config_snapshot, receipt
FROM control.historical_metadata WHERE id > %s ORDER BY config_id, id DESC
"""

_AGAIN = "UPDATE control.table_control SET next_load_date_time = now() WHERE config_id = ANY (%s)"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load as the control database has it."""

    id: int
    config_id: int
    status: str
    message: str | None
    airflow_run: str
    rows_read: int | None
    rows_inserted: int | None
    rows_updated: int | None
    target_version: int | None
    config_snapshot: Mapping[str, Any] = field(repr=False)
    receipt: Mapping[str, Any] | None = field(repr=False)

    @property
    def config(self) -> LoadConfig:
        """The configuration that it was claimed with."""
        return LoadConfig.from_snapshot(self.config_snapshot)

    @property
    def target(self) -> str:
        """Schema and table that it loads into."""
        return ".".join(str(self.config_snapshot[name]) for name in ("target_schema", "target_table"))

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status not in {LoadStatus.QUEUED, LoadStatus.IN_PROGRESS}

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.status == LoadStatus.SUCCEEDED

    @property
    def seconds(self) -> float:
        """Seconds that its phases took together."""
        return float(sum((self.receipt or {}).get("seconds", {}).values()))


def tables(control: psycopg.Connection[Any]) -> int:
    """Return how many tables there are to load."""
    found = control.execute("SELECT count(*) FROM control.table_control WHERE is_active").fetchone()
    return int(found[0]) if found else 0


def last(control: psycopg.Connection[Any]) -> int:
    """Return the id of the newest load, 0 before the first."""
    found = control.execute("SELECT coalesce(max(id), 0) FROM control.historical_metadata").fetchone()
    return int(found[0]) if found else 0


def newest(control: psycopg.Connection[Any], after: int) -> list[Load]:
    """Return each table's newest load after the one with this id, in the order of the tables' rows."""
    with control.cursor(row_factory=class_row(Load)) as cursor:
        return cursor.execute(_NEWEST, [after]).fetchall()


def make_due(control: psycopg.Connection[Any], config_ids: Sequence[int]) -> None:
    """Let these rows load again at once."""
    control.execute(_AGAIN, [list(config_ids)])
