"""Deletes old records of loads and edits: what ``dataloader db prune`` does."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.exceptions import ConfigurationError

#: One step walks this many records in order of id, in a transaction of its own, so that nothing is locked or
#: kept from vacuum for long.
_STEP = 2_000

#: Which of the next records go. What stays, whatever its age: loads that live; a row's newest load; its
#: newest success with a receipt, because the next load compares with it; its newest load that fenced or
#: published, and since then every load whose writes nobody knows for certain, because the next load fences
#: and repairs by them (control/lease.py asks for the same); what an open backfill was made of.
#:
#: A record without config_id is an old one: it belongs with those of its control_key.
_LOADS = text("""
WITH walked AS MATERIALIZED (
    SELECT h.* FROM control.historical_metadata h WHERE h.id > :after ORDER BY h.id LIMIT :step
),
old AS (
    SELECT w.*, EXISTS (SELECT FROM control.table_control t WHERE t.config_id = w.config_id) AS has_row
    FROM walked w
    WHERE coalesce(w.load_end_time, w.load_start_time, w.load_queued_time, w.created_at)
            < clock_timestamp() - make_interval(days => :days)
        AND (w.epoch IS NULL OR w.load_status NOT IN ('Queued', 'In Progress'))
),
beyond AS (
    SELECT o.* FROM old o
    WHERE CASE
        WHEN o.config_id IS NULL THEN EXISTS (
            SELECT FROM control.historical_metadata n
            WHERE n.control_key = o.control_key AND n.config_id IS NULL AND n.id > o.id
            OFFSET :newest - 1)
        -- Of a deleted row, the one with its highest epoch stays: put back, the row goes on from there.
        WHEN NOT o.has_row THEN coalesce(
            o.epoch < (
                SELECT max(n.epoch) FROM control.historical_metadata n WHERE n.config_id = o.config_id),
            EXISTS (
                SELECT FROM control.historical_metadata n
                WHERE n.config_id = o.config_id AND (n.epoch IS NOT NULL OR n.id > o.id)))
        ELSE EXISTS (
            SELECT FROM control.historical_metadata n
            WHERE n.config_id = o.config_id AND n.id > o.id
            OFFSET :newest - 1)
        END
),
gone AS (
    DELETE FROM control.historical_metadata h USING beyond b
    WHERE h.id = b.id AND (b.config_id IS NULL OR NOT b.has_row OR (
        -- A later success with a receipt, if this is one.
        (b.load_status IS DISTINCT FROM 'Succeeded' OR b.receipt IS NULL OR EXISTS (
            SELECT FROM control.historical_metadata n WHERE n.config_id = b.config_id AND n.id > b.id
                AND n.load_status = 'Succeeded' AND n.receipt IS NOT NULL))
        -- A later load that fenced this target or published to it, if the next repair would need this one.
        AND (
            NOT (control.has_fenced(h) OR control.is_uncertain(h))
            OR EXISTS (
                SELECT FROM control.historical_metadata n
                WHERE control.target_key(n) = control.target_key(h) AND n.id > h.id
                    AND control.has_fenced(n)))
        -- A later commit of this row to this target, if this is one.
        AND (
            h.target_version IS NULL OR h.receipt ->> 'committed_by' IS NOT NULL
            OR EXISTS (
                SELECT FROM control.historical_metadata n
                WHERE control.target_key(n) = control.target_key(h) AND n.id > h.id
                    AND n.config_id = h.config_id AND n.target_version IS NOT NULL
                    AND n.receipt ->> 'committed_by' IS NULL))
        AND NOT EXISTS (
            SELECT FROM control.backfill f LEFT JOIN control.load_chunk c ON c.backfill_id = f.id
            WHERE f.config_id = b.config_id AND f.status = 'open'
                AND (f.started_by = b.id OR c.metadata_id = b.id))))
    RETURNING h.id
)
SELECT (SELECT max(id) FROM walked) AS reached, (SELECT count(*) FROM walked) AS walked,
    (SELECT count(*) FROM gone) AS gone""")

#: The newest edit of each row stays: it tells what a deleted row was. One without config_id belongs with
#: those of its control_key, as above.
_EDITS = text("""
WITH walked AS MATERIALIZED (
    SELECT e.history_id, e.config_id, e.control_key, e.changed_at FROM control.table_control_history e
    WHERE e.history_id > :after ORDER BY e.history_id LIMIT :step
),
old AS (
    SELECT w.* FROM walked w WHERE w.changed_at < clock_timestamp() - make_interval(days => :days)
),
gone AS (
    DELETE FROM control.table_control_history e USING old o
    WHERE e.history_id = o.history_id AND CASE
        WHEN o.config_id IS NULL THEN EXISTS (
            SELECT FROM control.table_control_history n
            WHERE n.control_key = o.control_key AND n.config_id IS NULL AND n.history_id > o.history_id)
        ELSE EXISTS (
            SELECT FROM control.table_control_history n
            WHERE n.config_id = o.config_id AND n.history_id > o.history_id)
        END
    RETURNING e.history_id
)
SELECT (SELECT max(history_id) FROM walked) AS reached, (SELECT count(*) FROM walked) AS walked,
    (SELECT count(*) FROM gone) AS gone""")


#: What the database can still count with: a thousand years, and more records than a row has loads.
MOST_DAYS = 365_000
MOST_LOADS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What is kept: a record goes when it is older than its days and not among the newest of its row."""

    #: Records of loads, in days since their end.
    loads_days: int = 90
    #: The newest records of each row stay, however old they are.
    loads_per_row: int = 30
    #: Recorded edits, in days. None: for ever.
    edits_days: int | None = None

    def __post_init__(self) -> None:
        for name, most in (
            ("loads_days", MOST_DAYS),
            ("loads_per_row", MOST_LOADS),
            ("edits_days", MOST_DAYS),
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(
                    f"{name} is {value}.", field=name, fix="use 1 or more; what lives is always kept"
                )
            if value is not None and value > most:
                raise ConfigurationError(f"{name} is {value}.", field=name, fix=f"use {most:,} at most")


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How many records are gone."""

    loads: int
    edits: int


def prune(engine: Engine, retention: Retention | None = None) -> Pruned:
    """Remove what ``retention`` does not keep. Several transactions; may be stopped and repeated at any time.

    Raises ControlUnavailable and NotMigrated.
    """
    kept = retention or Retention()
    edits = 0
    loads = _walk(engine, "loads", days=kept.loads_days, newest=kept.loads_per_row)
    if kept.edits_days is not None:
        edits = _walk(engine, "edits", days=kept.edits_days)
    return Pruned(loads=loads, edits=edits)


def _walk(engine: Engine, what: str, **limits: int) -> int:
    """Walk all records in order of id; return how many went.

    To the end: a clock that was ahead once has left records among the old ones whose times are not old.
    """
    statement = {"loads": _LOADS, "edits": _EDITS}[what]
    after = gone = 0
    while True:
        values = {"after": after, "step": _STEP, **limits}
        with transaction(engine) as connection:
            step = connection.execute(statement, values, execution_options=LAST).one()
        gone += int(step.gone)
        if step.walked < _STEP:
            return gone
        after = step.reached
