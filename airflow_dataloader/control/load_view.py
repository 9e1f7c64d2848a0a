"""A load as a waiting task or trigger sees it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.status import OVER, LoadStatus

_VIEW = text("""
SELECT id, config_id, load_status, log_message, airflow_task, databricks_run, workspace_host,
    target_catalog, target_schema, target_table, rows_processed, target_version, watermark_high,
    extract(epoch FROM load_queued_time) AS queued
FROM control.historical_metadata WHERE id = :metadata_id""")


@dataclass(frozen=True, kw_only=True)
class LoadView:
    """A load as it stands."""

    metadata_id: int
    config_id: int | None
    #: :func:`claim_time`.
    claimed_at: str
    status: LoadStatus
    #: How it ended, where it has.
    message: str | None
    #: Which try of which task answers for it.
    airflow_task: str | None
    databricks_run: str | None
    workspace_host: str | None
    target: TargetName | None
    rows_processed: int | None
    target_version: int | None
    watermark: str | None

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in OVER

    def facts(self) -> dict[str, Any]:
        """Return what is known, as primitives that may travel through Airflow."""
        found = {
            "metadata_id": self.metadata_id,
            "config_id": self.config_id,
            "load_status": str(self.status),
            "message": self.message,
            "databricks_run": self.databricks_run,
            "target": [self.target.catalog, self.target.schema, self.target.table] if self.target else None,
            "rows_processed": self.rows_processed,
            "target_version": self.target_version,
            "watermark": self.watermark,
        }
        return {name: value for name, value in found.items() if value is not None}


def view_load(engine: Engine, metadata_id: int) -> LoadView | None:
    """Return how a load stands, or None if this control database has no such load."""
    with transaction(engine, readonly=True) as connection:
        values = {"metadata_id": metadata_id}
        row = connection.execute(_VIEW, values, execution_options=LAST).one_or_none()
    if row is None:
        return None
    parts = (row.target_catalog, row.target_schema, row.target_table)
    return LoadView(
        metadata_id=row.id,
        config_id=row.config_id,
        claimed_at=claim_time(row.queued),
        status=LoadStatus(row.load_status),
        message=row.log_message,
        airflow_task=row.airflow_task,
        databricks_run=row.databricks_run,
        workspace_host=row.workspace_host,
        target=TargetName(catalog=parts[0], schema=parts[1], table=parts[2]) if all(parts) else None,
        rows_processed=row.rows_processed,
        target_version=row.target_version,
        watermark=row.watermark_high,
    )


def claim_time(queued: Decimal | None) -> str:
    """Return when a load was claimed, in seconds since 1970, as text; ``queued``: what PostgreSQL says of it.

    It tells a load from another one that got its id after a restore from a backup.
    """
    return "" if queued is None else str(queued)
