"""Live loads, as a reap sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from airflow_dataloader.control.transaction import LAST
from airflow_dataloader.core.json_text import read_json
from airflow_dataloader.core.reaping import LiveLoad
from airflow_dataloader.core.status import RowStatus

#: Seconds, some 3,000 years: no age is taken for more, in either direction.
_OUTERMOST = 1e11

# Ages by subtraction of numbers: before version 17, PostgreSQL refuses to subtract an infinite time, and the
# answer with it. Times that a write has to find again as text, because Python cannot hold every one.
_LIVE = text("""
WITH moment AS MATERIALIZED (SELECT extract(epoch FROM clock_timestamp()) AS at)
SELECT h.id, h.config_id, h.epoch, h.load_status, h.databricks_run, h.workspace_host,
    h.lease_until::text AS lease_until, h.progress_at::text AS progress_at,
    h.reaping_until::text AS reaping_until, h.failure::text AS failure, t.max_runtime_minutes,
    (moment.at - extract(epoch FROM h.load_queued_time))::float AS since_claim,
    coalesce(moment.at - extract(epoch FROM h.load_start_time), 0)::float AS since_start,
    coalesce(moment.at - extract(epoch FROM h.progress_at), 0)::float AS since_progress,
    (moment.at - extract(epoch FROM coalesce(h.lease_until, h.load_queued_time)))::float AS lease_over,
    (moment.at - extract(epoch FROM h.reaping_until))::float AS reaping_over
FROM control.historical_metadata h CROSS JOIN moment
JOIN control.table_control t ON t.config_id = h.config_id
    AND t.load_epoch = h.epoch AND t.last_status = h.load_status
WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
ORDER BY h.id""")


@dataclass(frozen=True, kw_only=True)
class ObservedLoad:
    """A live load, and what a write that follows from this look has to find unchanged."""

    metadata_id: int
    config_id: int
    epoch: int
    databricks_run: str | None
    workspace_host: str | None
    #: Times as PostgreSQL writes them.
    lease_until: str | None
    progress_at: str | None
    reaping_until: str | None
    #: What a reap under way has already said about it; None also where that cannot be read.
    failure: Mapping[str, Any] | None
    load: LiveLoad

    @property
    def run(self) -> tuple[str | None, str] | None:
        """The workspace and the run that executes it, where one is recorded."""
        return (self.workspace_host, self.databricks_run) if self.databricks_run else None


def live_loads(connection: Connection) -> list[ObservedLoad]:
    """Return the loads that own their rows. Ends the transaction."""
    return [
        ObservedLoad(
            metadata_id=row.id,
            config_id=row.config_id,
            epoch=row.epoch,
            databricks_run=row.databricks_run,
            workspace_host=row.workspace_host,
            lease_until=row.lease_until,
            progress_at=row.progress_at,
            reaping_until=row.reaping_until,
            failure=_read(row.failure),
            load=LiveLoad(
                status=RowStatus(row.load_status),
                has_run=row.databricks_run is not None,
                max_runtime_minutes=row.max_runtime_minutes,
                since_claim=_age(row.since_claim),
                since_start=_age(row.since_start),
                since_progress=_age(row.since_progress),
                lease_over=_age(row.lease_over),
                reaping_over=None if row.reaping_over is None else _age(row.reaping_over),
            ),
        )
        for row in connection.execute(_LIVE, execution_options=LAST)
    ]


def _age(seconds: float | None) -> float:
    """Return an age that can be counted with; the one of a time that is not recorded is the highest."""
    return _OUTERMOST if seconds is None else max(-_OUTERMOST, min(seconds, _OUTERMOST))


def _read(failure: str | None) -> Mapping[str, Any] | None:
    try:
        said = None if failure is None else read_json(failure)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
