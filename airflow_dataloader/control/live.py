"""Loads that live, as somebody sees them who has to decide whether they still should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from airflow_dataloader.control.transaction import LAST
from airflow_dataloader.core.reaping import LiveLoad
from airflow_dataloader.core.status import RowStatus

_LIVE = text("""
WITH moment AS MATERIALIZED (SELECT clock_timestamp() AS at)
SELECT h.id, h.config_id, h.epoch, h.load_status, h.databricks_run, h.workspace_host,
    h.lease_until, h.progress_at, h.reaping_until, h.failure, t.max_runtime_minutes,
    extract(epoch FROM moment.at - h.load_queued_time)::float AS since_claim,
    coalesce(extract(epoch FROM moment.at - h.load_start_time), 0)::float AS since_start,
    coalesce(extract(epoch FROM moment.at - h.progress_at), 0)::float AS since_progress,
    extract(epoch FROM moment.at - coalesce(h.lease_until, h.load_queued_time))::float AS lease_over,
    extract(epoch FROM moment.at - h.reaping_until)::float AS reaping_over
FROM control.historical_metadata h CROSS JOIN moment
JOIN control.table_control t ON t.config_id = h.config_id
    AND t.load_epoch = h.epoch AND t.last_status = h.load_status
WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
ORDER BY h.id""")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A live load, and what a write that follows from this look has to find unchanged."""

    metadata_id: int
    config_id: int
    epoch: int
    databricks_run: str | None
    workspace_host: str | None
    lease_until: datetime | None
    progress_at: datetime | None
    reaping_until: datetime | None
    #: What a reap under way has already said about it.
    failure: Mapping[str, Any] | None
    load: LiveLoad

    @property
    def run(self) -> tuple[str | None, str] | None:
        """The workspace and the run that executes it, where one is recorded."""
        return (self.workspace_host, self.databricks_run) if self.databricks_run else None


def live_loads(connection: Connection) -> list[Seen]:
    """Return the loads that own their rows. Ends the transaction."""
    return [
        Seen(
            metadata_id=row.id,
            config_id=row.config_id,
            epoch=row.epoch,
            databricks_run=row.databricks_run,
            workspace_host=row.workspace_host,
            lease_until=row.lease_until,
            progress_at=row.progress_at,
            reaping_until=row.reaping_until,
            failure=row.failure,
            load=LiveLoad(
                status=RowStatus(row.load_status),
                has_run=row.databricks_run is not None,
                max_runtime_minutes=row.max_runtime_minutes,
                since_claim=row.since_claim,
                since_start=row.since_start,
                since_progress=row.since_progress,
                lease_over=row.lease_over,
                reaping_over=row.reaping_over,
            ),
        )
        for row in connection.execute(_LIVE, execution_options=LAST)
    ]
