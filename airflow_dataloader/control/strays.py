"""What hand-made changes leave behind: loads whose row is gone, and live rows without a load.

What somebody keeps locked is passed over, and said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.core.failure import Failure, Phase

_LOST_ROW = "Its row was deleted, or moved on by hand, while it ran."
_NO_LOAD = (
    "Nothing that could end it is recorded for this row; it was set live by hand, or by another system."
)

_END_LOADS = text("""
WITH lost AS MATERIALIZED (
    SELECT h.id, h.config_id, h.epoch FROM control.historical_metadata h
    WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
        AND NOT EXISTS (SELECT FROM control.table_control t
            WHERE t.config_id = h.config_id AND t.load_epoch = h.epoch AND t.last_status = h.load_status)
),
held AS MATERIALIZED (
    SELECT h.id FROM control.historical_metadata h JOIN lost ON lost.id = h.id AND lost.epoch = h.epoch
    WHERE h.load_status IN ('Queued', 'In Progress')
    FOR UPDATE OF h SKIP LOCKED
),
ended AS (
    UPDATE control.historical_metadata h SET
        load_status = 'Failed',
        load_end_time = clock_timestamp(),
        total_duration = control.seconds_since(h.load_queued_time),
        log_message = :message,
        failure = CAST(:failure AS jsonb),
        lease_until = NULL,
        reaping_until = NULL
    FROM held WHERE h.id = held.id
    RETURNING h.id
)
SELECT lost.id, lost.config_id, ended.id IS NOT NULL AS ended FROM lost LEFT JOIN ended ON ended.id = lost.id
ORDER BY lost.id""")

_END_ROWS = text("""
WITH stuck AS MATERIALIZED (
    SELECT t.config_id, t.load_epoch FROM control.table_control t
    WHERE t.last_status IN ('Queued', 'In Progress')
        AND coalesce(t.last_status_date_time, '-infinity')
            < clock_timestamp() - make_interval(mins => t.max_runtime_minutes, secs => :expiry)
        AND NOT EXISTS (SELECT FROM control.historical_metadata h
            WHERE h.config_id = t.config_id AND h.epoch = t.load_epoch
                AND h.load_status IN ('Queued', 'In Progress'))
),
held AS MATERIALIZED (
    SELECT t.config_id FROM control.table_control t
    JOIN stuck ON stuck.config_id = t.config_id AND stuck.load_epoch = t.load_epoch
    WHERE t.last_status IN ('Queued', 'In Progress')
    FOR UPDATE OF t SKIP LOCKED
),
ended AS (
    UPDATE control.table_control t SET
        last_status = 'Failed', last_status_date_time = clock_timestamp(), last_status_message = :message
    FROM held WHERE t.config_id = held.config_id
    RETURNING t.config_id
)
SELECT stuck.config_id, ended.config_id IS NOT NULL AS ended
FROM stuck LEFT JOIN ended ON ended.config_id = stuck.config_id
ORDER BY stuck.config_id""")


@dataclass(frozen=True, kw_only=True)
class LostLoads:
    """Live loads that no row answers for."""

    #: metadata_id → (config_id, message).
    ended: Mapping[int, tuple[int, str]]
    #: Locked by somebody else: metadata_id → config_id.
    held: Mapping[int, int]


@dataclass(frozen=True, kw_only=True)
class StuckRows:
    """Live rows that nothing will end."""

    #: config_id → message.
    ended: Mapping[int, str]
    #: Locked by somebody else.
    held: Sequence[int]


def end_lost_loads(connection: Connection) -> LostLoads:
    """Fail live loads that no row answers for."""
    failure = Failure(phase=Phase.RUN, error="RowLost", message=_LOST_ROW, transient=False)
    values = {
        "message": failure.message,
        "failure": json.dumps(failure.as_json() | {"settled_by": SettledBy.REAP}),
    }
    found = connection.execute(_END_LOADS, values).all()
    return LostLoads(
        ended={row.id: (row.config_id, failure.message) for row in found if row.ended},
        held={row.id: row.config_id for row in found if not row.ended},
    )


def end_rows_without_load(connection: Connection, *, expiry: float) -> StuckRows:
    """Fail rows that are live with nothing to end them, ``expiry`` seconds after their maximum runtime."""
    found = connection.execute(_END_ROWS, {"message": _NO_LOAD, "expiry": expiry}).all()
    return StuckRows(
        ended={row.config_id: _NO_LOAD for row in found if row.ended},
        held=[row.config_id for row in found if not row.ended],
    )
