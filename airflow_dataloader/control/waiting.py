"""Why rows that are due were not claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Engine, text

from airflow_dataloader.control.transaction import LAST, transaction

#: Every row that a claim wants, sql/migrations/versions/0002/45_claim.sql, and what stops it first.
_WAITING = text("""
WITH live AS (
    SELECT db_config_key, count(*) AS loads FROM control.table_control
    WHERE last_status IN ('Queued', 'In Progress') GROUP BY db_config_key
),
waiting AS (
    SELECT t.db_config_key, CASE
        WHEN (SELECT coalesce(sum(loads), 0) FROM live) >= :max_concurrent THEN 'full'
        WHEN s.paused_until > clock_timestamp() THEN 'paused'
        WHEN live.loads >= s.max_concurrent_loads THEN 'at_limit'
        ELSE 'held' END AS reason
    FROM control.table_control t
    LEFT JOIN control.table_control_dbconfig s ON s.db_config_key = t.db_config_key
    LEFT JOIN live ON live.db_config_key = t.db_config_key
    WHERE t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
        AND CASE WHEN CAST(:only AS bigint[]) IS NULL THEN t.next_load_date_time <= clock_timestamp()
            ELSE t.config_id = ANY (CAST(:only AS bigint[])) END
)
SELECT reason, count(*) AS rows,
    coalesce(array_agg(DISTINCT db_config_key) FILTER (WHERE db_config_key IS NOT NULL), '{}') AS sources
FROM waiting GROUP BY reason ORDER BY array_position(:reasons, reason)""")


class WaitReason(StrEnum):
    """What keeps a row from being claimed that is due, or asked for. The first that holds counts."""

    #: As many loads live as may live at the same time.
    FULL = "full"
    #: Its source is paused.
    PAUSED = "paused"
    #: As many loads of its source live as the source bears.
    AT_LIMIT = "at_limit"
    #: Another session holds the row, or another load its target; or it became due just now.
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Rows that are due, or asked for, and wait for one reason."""

    reason: WaitReason
    rows: int
    #: Their sources, by name.
    sources: tuple[str, ...]


def waiting(engine: Engine, *, max_concurrent: int, only: Sequence[int] | None = None) -> list[Waiting]:
    """Return the rows that are due and that nobody loads, by the reason why a claim leaves them.

    ``only`` are ids to ask about instead, whatever their slot, where they are active and not live.
    Looks at all rows that are due, so it is for people to ask and not for a claim.
    """
    values = {
        "max_concurrent": max_concurrent,
        "only": None if only is None else list(only),
        "reasons": list(WaitReason),
    }
    with transaction(engine, readonly=True) as connection:
        found = connection.execute(_WAITING, values, execution_options=LAST).all()
    return [
        Waiting(reason=WaitReason(row.reason), rows=row.rows, sources=tuple(row.sources)) for row in found
    ]
