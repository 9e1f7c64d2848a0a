"""Moving locked rows to Queued, each with a load of its own in the history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from airflow_dataloader.core.strategy import Trigger

#: Seconds that a load may wait for its loader's start before somebody has to ask after it.
FIRST_LEASE = 600

_QUEUE = text("""
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(
        place integer, config_id bigint, slot timestamptz, scan_slot timestamptz, trigger text,
        snapshot jsonb)
),
moved AS (
    UPDATE control.table_control t SET
        last_status = 'Queued',
        last_status_date_time = clock_timestamp(),
        last_status_message = NULL,
        load_epoch = t.load_epoch + 1,
        next_load_date_time = i.slot,
        next_delete_scan = i.scan_slot,
        last_airflow_run = :airflow_run,
        last_databricks_run = NULL
    FROM item i WHERE t.config_id = i.config_id
    RETURNING t.config_id, t.control_key, t.load_epoch, t.retry_count, t.last_status_date_time AS at,
        i.place, i.trigger, i.snapshot
)
INSERT INTO control.historical_metadata (
    control_key, run_id, load_queued_time, source_catalog, source_schema, source_table,
    target_catalog, target_schema, target_table, load_status, config_id, epoch, attempt, trigger, mode,
    airflow_run, airflow_task, airflow_base_url, lease_until, watermark_low, config_snapshot)
SELECT
    control_key, :airflow_run, at,
    snapshot ->> 'source_table_catalog', snapshot ->> 'source_table_schema', snapshot ->> 'source_table_name',
    snapshot ->> 'target_catalog', snapshot ->> 'target_schema', snapshot ->> 'target_table',
    'Queued', config_id, load_epoch, retry_count + 1, trigger,
    left(snapshot ->> 'load_strategy', 30)
        || CASE WHEN snapshot -> 'delete_scan' = 'true' THEN ' + delete_scan' ELSE '' END,
    :airflow_run, :airflow_task, :airflow_base_url,
    at + make_interval(secs => :first_lease), snapshot ->> 'incremental_value', snapshot
FROM moved ORDER BY place
RETURNING id, config_id, epoch""")


@dataclass(frozen=True, kw_only=True)
class Claimant:
    """Who claims, as the history records it."""

    airflow_run: str
    airflow_task: str | None = None
    #: Tells two Airflows that share a control database apart; their run ids may be equal.
    airflow_base_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row to queue: its next slots as PostgreSQL reads them, and what its load freezes."""

    config_id: int
    slot: str | None
    #: Of the scan for deleted rows.
    scan_slot: str | None
    trigger: Trigger
    snapshot: Mapping[str, Any]


def queue(connection: Connection, entries: Sequence[Entry], claimant: Claimant) -> dict[int, tuple[int, int]]:
    """Queue rows that this transaction has locked; return config_id → (metadata_id, epoch).

    Loads get their ids in the order of ``entries``.
    """
    items = [
        {
            "place": place,
            "config_id": entry.config_id,
            "slot": entry.slot,
            "scan_slot": entry.scan_slot,
            "trigger": entry.trigger,
            "snapshot": dict(entry.snapshot),
        }
        for place, entry in enumerate(entries)
    ]
    values = {
        "items": json.dumps(items),
        "airflow_run": claimant.airflow_run,
        "airflow_task": claimant.airflow_task,
        "airflow_base_url": claimant.airflow_base_url,
        "first_lease": FIRST_LEASE,
    }
    return {row.config_id: (row.id, row.epoch) for row in connection.execute(_QUEUE, values)}
