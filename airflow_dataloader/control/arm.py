"""Arming: rows with a cron and no slot get their next one."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import Connection, text

from airflow_dataloader.control.cron import next_slot
from airflow_dataloader.exceptions import ConfigurationError

#: Rows that one claim arms; more wait for the next, so that a bulk import does not hold up what is due.
ARMED_AT_ONCE = 1_000

#: Slot of a row whose cron cannot be read, until somebody edits cron or zone, which takes the slot away.
NEVER = "infinity"

_LOCK_UNARMED = text("""
SELECT t.config_id, t.load_cron, t.load_timezone, clock_timestamp() AS at
FROM control.table_control t WHERE control.is_unarmed(t)
ORDER BY t.config_id LIMIT :at_once FOR UPDATE SKIP LOCKED""")

_ARM = text("""
UPDATE control.table_control t SET next_load_date_time = i.slot
FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(config_id bigint, slot timestamptz)
WHERE t.config_id = i.config_id""")


def arm(connection: Connection, *, at_once: int = ARMED_AT_ONCE) -> int:
    """Give up to ``at_once`` active rows their next slot; return how many.

    A row whose cron or zone cannot be read is made due instead, so that the claim takes it and says why.
    """
    found = connection.execute(_LOCK_UNARMED, {"at_once": at_once}).all()
    items = [
        {"config_id": row.config_id, "slot": _slot(row.load_cron, row.load_timezone, row.at).isoformat()}
        for row in found
    ]
    if items:
        connection.execute(_ARM, {"items": json.dumps(items)})
    return len(items)


def _slot(load_cron: str, load_timezone: str, now: datetime) -> datetime:
    try:
        return next_slot(load_cron, load_timezone, now)
    except ConfigurationError:
        return now
