"""A load as somebody sees it who waits for its end, and the ends that a waiting party may write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.reaping import EndReason, run_ended
from airflow_dataloader.core.run_api import Run
from airflow_dataloader.core.status import OVER, LoadStatus, RowStatus

_WATCH = text("""
SELECT id, config_id, load_status, log_message, airflow_task, databricks_run, workspace_host,
    target_catalog, target_schema, target_table, rows_processed, target_version, watermark_high
FROM control.historical_metadata WHERE id = :metadata_id""")

#: A load that a reap is ending just now has its reason already, and is left to it.
_ENDABLE = text("""
SELECT h.epoch, h.load_status FROM control.historical_metadata h
JOIN control.table_control t ON t.config_id = h.config_id AND t.load_epoch = h.epoch
WHERE h.id = :metadata_id AND h.load_status IN ('Queued', 'In Progress')
    AND (h.reaping_until IS NULL OR h.reaping_until < clock_timestamp())""")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A load as it stands."""

    metadata_id: int
    config_id: int | None
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


def watch(engine: Engine, metadata_id: int) -> Watched | None:
    """Return how a load stands, or None if this control database has no such load."""
    with transaction(engine, readonly=True) as connection:
        values = {"metadata_id": metadata_id}
        row = connection.execute(_WATCH, values, execution_options=LAST).one_or_none()
    if row is None:
        return None
    parts = (row.target_catalog, row.target_schema, row.target_table)
    return Watched(
        metadata_id=row.id,
        config_id=row.config_id,
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


def end_with_run(engine: Engine, metadata_id: int, run: Run) -> bool:
    """End a load that its loader has not settled although ``run`` is over; False where nothing was to do."""
    with transaction(engine) as connection:
        found = connection.execute(_ENDABLE, {"metadata_id": metadata_id}).one_or_none()
        if found is None:
            return False
        status = RowStatus(found.load_status)
        failure = run_ended(status, run).failure
        ending = Ending(
            metadata_id=metadata_id,
            epoch=found.epoch,
            status=EndReason(failure.error).status,
            failure=failure,
            settled_by=SettledBy.TRIGGER,
            while_in=frozenset({status}),
        )
        return bool(end(connection, [ending], last=True))


def end_unsubmitted(engine: Engine, metadata_id: int, epoch: int, message: str) -> bool:
    """End a load that could not be submitted; its loader's start is refused should a run exist after all."""
    failure = Failure(phase=Phase.START, error="NotSubmitted", message=message, transient=True)
    ending = Ending(
        metadata_id=metadata_id,
        epoch=epoch,
        status=LoadStatus.FAILED,
        failure=failure,
        settled_by=SettledBy.TRIGGER,
        while_in=frozenset({RowStatus.QUEUED}),
    )
    with transaction(engine) as connection:
        return bool(end(connection, [ending], last=True))
