"""Which rows a claim may take: due or asked for, not live, within the limits of their sources and of all.

Every look goes through a partial index and stops as soon as it has enough. What a source may still run is
known before its waiting rows are looked at, so a source that is paused or at its limit costs nothing,
however long its backlog is; and from one with room, at most that many rows are read for each priority that
waiting rows have. Those priorities are found one after another, each by one look at the index.

The condition on ``is_active`` and ``last_status`` stands word for word as in sql/migrations: the
planner only knows a partial index by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

#: Room in all, and in each source that is not paused. Rows without a source are taken too: the claim tells
#: their people what is missing.
_ROOM = """
moment AS MATERIALIZED (SELECT clock_timestamp() AS at),
live AS MATERIALIZED (
    SELECT db_config_key, count(*) AS loads FROM control.table_control
    WHERE last_status IN ('Queued', 'In Progress') GROUP BY db_config_key
),
taken AS MATERIALIZED (
    SELECT config_id, control.destination(target_catalog, target_schema, NULL, target_table) AS destination
    FROM control.historical_metadata WHERE load_status IN ('Queued', 'In Progress') AND epoch IS NOT NULL
),
total AS MATERIALIZED (
    SELECT greatest(0, least(:wanted, :max_concurrent - coalesce(sum(loads), 0)))::integer AS room FROM live
),
source AS MATERIALIZED (
    SELECT s.db_config_key, least(s.max_concurrent_loads - coalesce(live.loads, 0), total.room) AS room
    FROM control.table_control_dbconfig s CROSS JOIN total CROSS JOIN moment
    LEFT JOIN live ON live.db_config_key = s.db_config_key
    WHERE (s.paused_until IS NULL OR s.paused_until <= moment.at)
        AND s.max_concurrent_loads > coalesce(live.loads, 0) AND total.room > 0
)"""

#: What is due, priority by priority and source by source, as the index table_control_ready_by_source goes.
#: A level with enough rows by itself is the last: none below it can come before them. The first is a number
#: above every integer.
_DUE = """
level AS (
    SELECT CAST(2147483648 AS bigint) AS priority, CAST(0 AS bigint) AS found
    UNION ALL
    SELECT CAST(p.priority AS bigint), (
        SELECT count(*) FROM (
            SELECT FROM source s CROSS JOIN LATERAL (
                SELECT FROM control.table_control t
                WHERE t.db_config_key = s.db_config_key AND t.priority = p.priority AND t.is_active
                    AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
                    AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (:handled)
                ORDER BY t.next_load_date_time, t.config_id LIMIT s.room) waiting
            LIMIT :wanted) enough)
    FROM level l CROSS JOIN LATERAL (
        SELECT t.priority FROM control.table_control t
        WHERE t.priority < l.priority
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
        ORDER BY t.priority DESC LIMIT 1) p
    WHERE l.found < (SELECT room FROM total)
),
candidate AS (
    SELECT s.db_config_key, s.room, c.*
    FROM level l CROSS JOIN source s CROSS JOIN LATERAL (
        SELECT t.config_id, t.priority, t.next_load_date_time FROM control.table_control t
        WHERE t.db_config_key = s.db_config_key AND t.priority = l.priority
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (:handled)
        ORDER BY t.next_load_date_time, t.config_id LIMIT s.room) c
    UNION ALL
    SELECT NULL, total.room, c.*
    FROM level l CROSS JOIN total CROSS JOIN LATERAL (
        SELECT t.config_id, t.priority, t.next_load_date_time FROM control.table_control t
        WHERE t.db_config_key IS NULL AND t.priority = l.priority
            AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
            AND t.next_load_date_time <= (SELECT at FROM moment) AND t.config_id <> ALL (:handled)
        ORDER BY t.next_load_date_time, t.config_id LIMIT total.room) c
)"""

#: What was asked for by id, whatever its slot.
_ASKED = """
candidate AS (
    SELECT t.db_config_key, coalesce(s.room, total.room) AS room,
        t.config_id, t.priority, t.next_load_date_time
    FROM control.table_control t CROSS JOIN total LEFT JOIN source s ON s.db_config_key = t.db_config_key
    WHERE t.config_id = ANY (:only)
        AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
        AND t.config_id <> ALL (:handled)
        AND (s.db_config_key IS NOT NULL OR t.db_config_key IS NULL)
)"""

#: Locks the chosen rows and reads them with their source. A row that somebody else holds comes back empty;
#: one that changed while we waited for its lock is looked at again by the conditions inside.
_TAKE = """
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY db_config_key ORDER BY priority DESC, next_load_date_time, config_id) AS place
    FROM candidate
),
chosen AS MATERIALIZED (
    SELECT config_id, priority, next_load_date_time FROM ranked
    WHERE place <= room
    ORDER BY priority DESC, next_load_date_time, config_id LIMIT (SELECT room FROM total)
)
SELECT chosen.config_id, moment.at, row.load_cron, row.load_timezone, row.next_delete_scan, row.is_retry,
    row.is_retry AND row.had_scanned AS repeats_scan, row.snapshot
FROM chosen CROSS JOIN moment LEFT JOIN LATERAL (
    SELECT t.load_cron, t.load_timezone, t.next_delete_scan,
        t.last_status IS NULL AND t.retry_count > 0 AS is_retry,
        coalesce((SELECT h.config_snapshot -> 'delete_scan' = 'true' FROM control.historical_metadata h
            WHERE h.config_id = t.config_id ORDER BY h.id DESC LIMIT 1), false) AS had_scanned,
        control.configuration(t) || jsonb_build_object(
            'config_id', t.config_id,
            'watermark_of', t.watermark_of,
            'db_type', s.db_type,
            'db_config_value', s.db_config_value,
            'db_kv_scope', s.db_kv_scope,
            'connection_options', s.connection_options,
            'target_catalog', nullif(btrim(t.destination_table_catalog), ''),
            'target_schema', coalesce(
                nullif(btrim(t.destination_table_schema), ''), nullif(btrim(s.default_target_schema), '')),
            'target_table', nullif(btrim(t.destination_table_name), '')) AS snapshot
    FROM control.table_control t
    LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
    WHERE t.config_id = chosen.config_id
        AND t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
        AND (:asked OR t.next_load_date_time <= moment.at)
        -- Two rows may have one destination after an edit; two loads at once may not.
        AND NOT EXISTS (SELECT FROM taken WHERE taken.config_id <> t.config_id
            AND taken.destination = t.resolved_destination)
    FOR UPDATE OF t SKIP LOCKED) row ON true
ORDER BY chosen.priority DESC, chosen.next_load_date_time, chosen.config_id"""

_TAKE_DUE = text(", ".join(("WITH RECURSIVE" + _ROOM, _DUE, _TAKE)))
_TAKE_ASKED = text(", ".join(("WITH" + _ROOM, _ASKED, _TAKE)))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A row that this transaction has locked, as it stands."""

    config_id: int
    #: The database's time when it was chosen.
    at: datetime
    load_cron: str | None
    load_timezone: str
    #: It was reset for a retry, and not claimed since.
    is_retry: bool
    #: Slot of the scan for deleted rows; None: it has none yet.
    next_delete_scan: datetime | None
    #: It retries a load that was to scan.
    repeats_scan: bool
    #: ``historical_metadata.config_snapshot`` of the load to be.
    snapshot: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One look: the rows that are ours now, and those that somebody else holds at the moment."""

    rows: tuple[Candidate, ...]
    busy: tuple[int, ...]


def take(
    connection: Connection,
    *,
    wanted: int,
    max_concurrent: int,
    only: Sequence[int] | None,
    handled: Sequence[int],
) -> Taken:
    """Lock and return at most ``wanted`` rows, highest priority first, then the earliest slot.

    ``only`` are ids to choose from, whatever their slot; None: what is due. ``handled`` are left out. The
    caller holds the claims' lock, so that nobody counts the same room.
    """
    values: dict[str, Any] = {
        "wanted": wanted,
        "max_concurrent": max_concurrent,
        "handled": list(handled),
        "asked": only is not None,
    }
    statement = _TAKE_DUE
    if only is not None:
        statement, values["only"] = _TAKE_ASKED, list(only)
    found = connection.execute(statement, values).all()
    return Taken(
        rows=tuple(
            Candidate(
                config_id=row.config_id,
                at=row.at,
                load_cron=row.load_cron,
                load_timezone=row.load_timezone,
                is_retry=row.is_retry,
                next_delete_scan=row.next_delete_scan,
                repeats_scan=row.repeats_scan,
                snapshot=row.snapshot,
            )
            for row in found
            if row.snapshot is not None
        ),
        busy=tuple(row.config_id for row in found if row.snapshot is None),
    )
