"""Arming: rows with a cron and no slot get their next one."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from airflow_dataloader.control.cron import next_slot
from airflow_dataloader.control.errors import refusal_of
from airflow_dataloader.control.transaction import savepoint
from airflow_dataloader.exceptions import DataloaderError

log = logging.getLogger(__name__)

#: Rows that one claim arms; more wait for the next, so that a bulk import does not hold up what is due.
ARMED_AT_ONCE = 1_000

#: Rows that are armed one by one before the time is looked at, and for how many seconds.
_PAGE = 100
_MOST_SECONDS = 1

#: Below every config_id.
_BEFORE_ALL = -(2**63)

#: Slot of a row whose cron nobody can read, until somebody edits cron or zone, which takes the slot away.
NEVER = "infinity"

_LOCK_UNARMED = text("""
SELECT t.config_id, t.load_cron, t.load_timezone, clock_timestamp() AS at
FROM control.table_control t WHERE control.is_unarmed(t) AND t.config_id > :after
ORDER BY t.config_id LIMIT :at_once FOR UPDATE SKIP LOCKED""")

_ARM = text("""
UPDATE control.table_control t SET next_load_date_time = i.slot
FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(config_id bigint, slot timestamptz)
WHERE t.config_id = i.config_id""")


def arm(connection: Connection, *, at_once: int = ARMED_AT_ONCE) -> int:
    """Give up to ``at_once`` active rows their next slot; return how many.

    A row whose cron or zone cannot be read is made due instead, so that the claim takes it and says why.
    """
    items = _unarmed(connection, at_once)
    if items:
        _write(connection, items)
    return len(items)


def arm_each(connection: Connection, *, at_once: int = ARMED_AT_ONCE) -> int:
    """Arm as :func:`arm` does, but each row by itself.

    One that the database refuses to write is left out and logged, and takes nobody's place. Ends after a
    second, for others wait for the claim meanwhile.
    """
    armed, after, until = 0, _BEFORE_ALL, time.monotonic() + _MOST_SECONDS
    while armed < at_once and time.monotonic() < until:
        items = _unarmed(connection, min(_PAGE, at_once - armed), after=after)
        if not items:
            break
        armed += sum(_armed(connection, item) for item in items)
        after = items[-1]["config_id"]
    return armed


def _unarmed(connection: Connection, at_once: int, *, after: int = _BEFORE_ALL) -> list[dict[str, Any]]:
    """Lock rows without a slot, and return what each is to get."""
    found = connection.execute(_LOCK_UNARMED, {"at_once": at_once, "after": after})
    return [
        {"config_id": row.config_id, "slot": _slot(row.load_cron, row.load_timezone, row.at).isoformat()}
        for row in found
    ]


def _write(connection: Connection, items: Sequence[dict[str, Any]]) -> None:
    connection.execute(_ARM, {"items": json.dumps(items)})


def _armed(connection: Connection, item: dict[str, Any]) -> bool:
    try:
        with savepoint(connection):
            _write(connection, [item])
    except DBAPIError as error:
        refusal = refusal_of(error, item["config_id"], f"config_id {item['config_id']}")
        if refusal is None:
            raise
        log.error("Left without a slot: %s", refusal)
        return False
    return True


def _slot(load_cron: str, load_timezone: str, now: datetime) -> datetime:
    try:
        return next_slot(load_cron, load_timezone, now)
    except DataloaderError:
        return now
