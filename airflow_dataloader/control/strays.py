"""What hand-made changes leave behind: loads whose row is gone, and live rows without a load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, TextClause, text

from airflow_dataloader.control.ending import SettledBy, recorded
from airflow_dataloader.control.transaction import LAST
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.reaping import EndReason
from airflow_dataloader.core.texts import kept_json

_LOST_ROW = "Its row was deleted, or moved on by hand, while it ran."
_NO_LOAD = (
    "Nothing that could end it is recorded for this row; it was set live by hand, or by another system."
)

#: Live loads that no row answers for: all of them, or those among ``ids``.
_LOST = """
WITH lost AS MATERIALIZED (
    SELECT h.id, h.config_id, h.epoch FROM control.historical_metadata h
    WHERE h.load_status IN ('Queued', 'In Progress') AND h.epoch IS NOT NULL
        AND (CAST(:ids AS bigint[]) IS NULL OR h.id = ANY (:ids))
        AND NOT EXISTS (SELECT FROM control.table_control t
            WHERE t.config_id = h.config_id AND t.load_epoch = h.epoch AND t.last_status = h.load_status)
)"""

#: Live rows that nothing will end, once they should have ended long ago: all of them, or those among ``ids``.
_STUCK = """
WITH stuck AS MATERIALIZED (
    SELECT t.config_id, t.load_epoch FROM control.table_control t
    WHERE t.last_status IN ('Queued', 'In Progress')
        AND (CAST(:ids AS bigint[]) IS NULL OR t.config_id = ANY (:ids))
        AND coalesce(t.last_status_date_time, '-infinity')
            < clock_timestamp() - make_interval(mins => t.max_runtime_minutes, secs => :expiry)
        AND NOT EXISTS (SELECT FROM control.historical_metadata h
            WHERE h.config_id = t.config_id AND h.epoch = t.load_epoch
                AND h.load_status IN ('Queued', 'In Progress'))
)"""


def _of(strays: str, statement: str) -> TextClause:
    """Return ``statement``, which goes on after the common table expression ``strays``."""
    return text(strays + statement)


_FIND_LOADS = _of(_LOST, " SELECT id, config_id FROM lost ORDER BY id")

_FIND_ROWS = _of(_STUCK, " SELECT config_id FROM stuck ORDER BY config_id")

_END_LOADS = _of(
    _LOST,
    """,
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
SELECT lost.id, lost.config_id, ended.id IS NOT NULL AS ended
FROM lost LEFT JOIN ended ON ended.id = lost.id""",
)

_END_ROWS = _of(
    _STUCK,
    """,
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
FROM stuck LEFT JOIN ended ON ended.config_id = stuck.config_id""",
)


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A live load that no row answers for; without a ``metadata_id`` a live row that nothing will end."""

    metadata_id: int | None
    config_id: int | None

    @property
    def message(self) -> str:
        """What is said about its end."""
        return _NO_LOAD if self.metadata_id is None else _LOST_ROW


def lost_loads(connection: Connection) -> list[Stray]:
    """Return the live loads that no row answers for. Ends the transaction."""
    found = connection.execute(_FIND_LOADS, {"ids": None}, execution_options=LAST)
    return [Stray(metadata_id=row.id, config_id=row.config_id) for row in found]


def stuck_rows(connection: Connection, *, expiry: float) -> list[Stray]:
    """Return the rows that are live with nothing to end them, ``expiry`` seconds after their maximum runtime.

    A row that has lost its load is none of them before that load has ended. Ends the transaction.
    """
    found = connection.execute(_FIND_ROWS, {"ids": None, "expiry": expiry}, execution_options=LAST)
    return [Stray(metadata_id=None, config_id=row.config_id) for row in found]


def end_strays(connection: Connection, strays: Sequence[Stray], *, expiry: float) -> dict[Stray, bool]:
    """Fail those that still are strays; return of each whether it was, or somebody holds a lock on it."""
    loads = [stray.metadata_id for stray in strays if stray.metadata_id is not None]
    rows = [stray.config_id for stray in strays if stray.metadata_id is None]
    ended: dict[Stray, bool] = {}
    if loads:
        failure = Failure(phase=Phase.RUN, error=EndReason.ROW_LOST, message=_LOST_ROW, transient=False)
        values = {
            "ids": loads,
            "message": failure.message,
            "failure": kept_json(recorded(failure, SettledBy.REAP)),
        }
        for row in connection.execute(_END_LOADS, values):
            ended[Stray(metadata_id=row.id, config_id=row.config_id)] = row.ended
    if rows:
        for row in connection.execute(_END_ROWS, {"ids": rows, "message": _NO_LOAD, "expiry": expiry}):
            ended[Stray(metadata_id=None, config_id=row.config_id)] = row.ended
    return ended
