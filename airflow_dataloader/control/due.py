"""Which rows a claim may take: due or asked for, not live, within the limits of their sources and of all.

The look itself is a function of the database, sql/migrations/versions/0002/45_claim.sql; that file says how
it stays in milliseconds beside a million rows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from airflow_dataloader.control.transaction import undone
from airflow_dataloader.core.json_text import read_json

_TAKE = text("""
SELECT * FROM control.take_rows(
    :wanted, :max_concurrent, CAST(:handled AS bigint[]), CAST(:asked AS bigint[]))
""")

#: Rows that come next in the sources of those in ``like``, and that somebody else holds.
_HELD = text("""
WITH next AS MATERIALIZED (
    SELECT t.config_id FROM control.table_control t
    WHERE t.is_active AND (t.last_status IS NULL OR t.last_status NOT IN ('Queued', 'In Progress'))
        AND (CAST(:asked AS bigint[]) IS NULL OR t.config_id = ANY (:asked))
        AND (CAST(:asked AS bigint[]) IS NOT NULL OR t.next_load_date_time <= clock_timestamp())
        AND t.config_id <> ALL (CAST(:handled AS bigint[]))
        AND (t.db_config_key IS NULL OR t.db_config_key IN (
            SELECT l.db_config_key FROM control.table_control l WHERE l.config_id = ANY (:like)))
    ORDER BY t.priority DESC, t.next_load_date_time, t.config_id LIMIT :at_most
),
free AS MATERIALIZED (
    SELECT t.config_id FROM control.table_control t JOIN next ON next.config_id = t.config_id
    FOR UPDATE OF t SKIP LOCKED
)
SELECT config_id FROM next EXCEPT SELECT config_id FROM free""")

_PARTS = text("SELECT key, CAST(value AS text) FROM jsonb_each(CAST(:snapshot AS jsonb)) ORDER BY key")


@dataclass(frozen=True, kw_only=True)
class TakenRow:
    """A row that this transaction has locked, as it stands."""

    config_id: int
    #: The database's time when it was chosen.
    at: datetime
    load_timezone: str
    #: It was reset for a retry, and not claimed since.
    is_retry: bool
    #: Slot of the scan for deleted rows; None: it has none yet.
    next_delete_scan: datetime | None
    #: It takes up the scan of the load before it, which never began, or failed and is asked for again.
    repeats_scan: bool
    #: ``historical_metadata.config_snapshot`` of the load to be.
    snapshot: dict[str, Any]
    #: The same as JSON, most often PostgreSQL's own: writing it again would take longer than reading it.
    written: str
    #: What is missing in it: PostgreSQL holds longer numbers and deeper nests than can be read here.
    unreadable: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One look: the rows that are ours now, and those that somebody else holds at the moment."""

    rows: tuple[TakenRow, ...]
    locked: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a claim is after: at most ``rows`` rows, while at most ``max_concurrent`` loads may live in all.

    ``only`` are ids to choose from, whatever their slot; None: what is due. Never those of ``left_out``.
    """

    rows: int
    max_concurrent: int
    only: Sequence[int] | None
    left_out: Sequence[int] = ()

    @property
    def asked(self) -> list[int] | None:
        """``only`` as an array."""
        return None if self.only is None else list(self.only)

    def as_parameters(self) -> dict[str, Any]:
        """Return the parameters of ``control.begin_claim`` and ``control.take_rows``."""
        return {"wanted": self.rows, "max_concurrent": self.max_concurrent, "asked": self.asked}


def take(connection: Connection, wanted: Wanted, *, handled: Sequence[int]) -> Taken:
    """Lock and return rows, highest priority first, then the earliest slot; ``handled`` are left out.

    The caller holds the claims' lock, so that nobody counts the same room.
    """
    return taken_from(
        connection, connection.execute(_TAKE, {**wanted.as_parameters(), "handled": list(handled)}).all()
    )


def locked_by_others(
    connection: Connection, locked: Sequence[int], wanted: Wanted, *, handled: Sequence[int], at_most: int
) -> list[int]:
    """Return which of the ``at_most`` rows that come next in the sources of ``locked`` are locked, too.

    A look stops where there is no room left, and would find them a few at a time. Nothing stays locked.
    """
    values = {
        "like": list(locked),
        "asked": wanted.asked,
        "handled": list(handled),
        "at_most": at_most,
    }
    with undone(connection):
        return list(connection.execute(_HELD, values).scalars())


def taken_from(connection: Connection, found: Sequence[Row[Any]]) -> Taken:
    """Return what a look has found, a row of the database's answer for each."""
    return Taken(
        rows=tuple(_taken_row(connection, row) for row in found if row.snapshot is not None),
        locked=tuple(row.config_id for row in found if row.snapshot is None),
    )


def _taken_row(connection: Connection, row: Row[Any]) -> TakenRow:
    unreadable: tuple[str, ...] = ()
    written = row.snapshot
    try:
        snapshot = read_json(written)
    except (ValueError, RecursionError):
        snapshot, unreadable = _read_parts(connection, written)
        written = json.dumps(snapshot)
    return TakenRow(
        config_id=row.config_id,
        at=row.at,
        load_timezone=row.load_timezone,
        is_retry=row.is_retry,
        next_delete_scan=row.next_delete_scan,
        repeats_scan=row.repeats_scan,
        snapshot=snapshot,
        written=written,
        unreadable=unreadable,
    )


def _read_parts(connection: Connection, snapshot: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what can be read of a snapshot, and the names of what cannot."""
    read, unreadable = {}, []
    for name, value in connection.execute(_PARTS, {"snapshot": snapshot}):
        try:
            read[name] = read_json(value)
        except (ValueError, RecursionError):
            unreadable.append(name)
    return read, tuple(unreadable)
