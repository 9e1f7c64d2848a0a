"""What hand-made changes leave behind: loads whose row is gone, and live rows without a load."""

from __future__ import annotations

import json

from sqlalchemy import Connection, text

from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.core.failure import Failure, Phase

_LOST_ROW = "Its row was deleted, or moved on by hand, while it ran."
_NO_LOAD = (
    "Nothing that could end it is recorded for this row; it was set live by hand, or by another system."
)

_END_LOADS = text("""
UPDATE control.historical_metadata h SET
    load_status = 'Failed',
    load_end_time = clock_timestamp(),
    total_duration = round(extract(epoch FROM clock_timestamp() - h.load_queued_time)),
    log_message = :message,
    failure = CAST(:failure AS jsonb),
    lease_until = NULL,
    reaping_until = NULL
WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
    AND NOT EXISTS (SELECT FROM control.table_control t
        WHERE t.config_id = h.config_id AND t.load_epoch = h.epoch AND t.last_status = h.load_status)
RETURNING h.id, h.config_id, h.log_message""")

_END_ROWS = text("""
UPDATE control.table_control t SET
    last_status = 'Failed', last_status_date_time = clock_timestamp(), last_status_message = :message
WHERE t.last_status IN ('Queued', 'In Progress')
    AND coalesce(t.last_status_date_time, '-infinity')
        < clock_timestamp() - make_interval(mins => t.max_runtime_minutes, secs => :expiry)
    AND NOT EXISTS (SELECT FROM control.historical_metadata h
        WHERE h.config_id = t.config_id AND h.epoch = t.load_epoch
            AND h.load_status IN ('Queued', 'In Progress'))
RETURNING t.config_id""")


def end_lost_loads(connection: Connection) -> dict[int, tuple[int, str]]:
    """Fail live loads that no row answers for; return metadata_id → (config_id, message)."""
    failure = Failure(phase=Phase.RUN, error="RowLost", message=_LOST_ROW, transient=False)
    values = {
        "message": failure.message,
        "failure": json.dumps(failure.as_json() | {"settled_by": SettledBy.REAP}),
    }
    found = connection.execute(_END_LOADS, values)
    return {row.id: (row.config_id, row.log_message) for row in found}


def end_rows_without_load(connection: Connection, *, expiry: float) -> dict[int, str]:
    """Fail rows that are live with nothing to end them, ``expiry`` seconds after their maximum runtime.

    Return config_id → message.
    """
    found = connection.execute(_END_ROWS, {"message": _NO_LOAD, "expiry": expiry})
    return {row.config_id: _NO_LOAD for row in found}
