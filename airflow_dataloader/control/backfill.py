"""The frozen plan of a chunked backfill, which outlives the attempts that work it off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, TextClause, text

from airflow_dataloader.control.fenced import raise_fenced
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.row_lock import with_row_lock
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.config_snapshot import flag

#: The other statements hold the row first, and only the load that has it gets hold of it.
_CURRENT = text("""
SELECT b.id, b.mode, b.content_hash, b.high, b.watermark, b.started_by, b.created_at,
    coalesce(h.writer_epoch, h.epoch, 0) AS epoch, h.config_snapshot ->> 'load_full' AS load_full,
    (SELECT jsonb_agg(jsonb_build_object(
            'number', c.number, 'low', c.low, 'high', c.high, 'null_cursor', c.null_cursor,
            'rows_read', c.rows_read, 'rows_published', c.rows_published,
            'target_version', c.target_version) ORDER BY c.number)
        FROM control.load_chunk c WHERE c.backfill_id = b.id) AS chunks
FROM control.backfill b LEFT JOIN control.historical_metadata h ON h.id = b.started_by
WHERE b.config_id = :config_id AND b.status = 'open'""")

_ABANDON = with_row_lock("""
UPDATE control.backfill b SET status = 'abandoned', ended_at = clock_timestamp()
FROM held WHERE b.config_id = held.config_id AND b.status = 'open'""")

_BEGIN = with_row_lock(""",
begun AS (
    INSERT INTO control.backfill (config_id, mode, content_hash, low, high, watermark, started_by)
    SELECT config_id, :mode, :content_hash, :low, :high, :watermark, :metadata_id FROM held
    RETURNING id
)
INSERT INTO control.load_chunk (backfill_id, number, low, high, null_cursor)
SELECT begun.id, i.number, i.low, i.high, i.null_cursor
FROM begun CROSS JOIN jsonb_to_recordset(CAST(:chunks AS jsonb)) AS i(
    number integer, low text, high text, null_cursor boolean)""")

_LOWER_WATERMARK = with_row_lock("""
UPDATE control.backfill b SET watermark = :watermark
FROM held WHERE b.config_id = held.config_id AND b.status = 'open'""")

_RECORD = with_row_lock("""
UPDATE control.load_chunk c SET
    metadata_id = :metadata_id,
    rows_read = coalesce(:rows_read, c.rows_read),
    rows_published = :rows_published,
    target_version = :target_version,
    committed_at = clock_timestamp()
FROM held JOIN control.backfill b ON b.config_id = held.config_id AND b.status = 'open'
WHERE c.backfill_id = b.id AND c.number = :number""")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """One part of a backfill, and what is on record of it."""

    #: From 1 on.
    number: int
    #: Ends of its range of cursors as the source's text, the upper one not included; None: open.
    low: str | None = None
    high: str | None = None
    #: The rows without a cursor instead of a range.
    null_cursor: bool = False
    #: Rows that were read of it last; None: not on record.
    rows_read: int | None = None
    #: Rows that its commit brought, 0 also where it needed none; None: not on record.
    rows_published: int | None = None
    #: Version of the table that it was committed to.
    target_version: int | None = None


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A plan that is under way."""

    id: int
    #: ``direct``: chunks go to the target; ``staged``: to a table beside it that replaces it at the end.
    mode: str
    content_hash: str
    #: Largest cursor when the plan was made, included; None: there was none.
    high: str | None
    #: The row's watermark when all is done: no further than the source has reached in any load of a chunk.
    watermark: str | None
    #: ``historical_metadata.id`` of the load that made the plan, and the epoch that it wrote with; 0 where
    #: that is gone.
    started_by: int
    epoch: int
    #: Whether that load was asked to replace the table (``load_full``).
    load_full: bool
    #: By the control database's clock, in UTC. With the id it is the plan's alone: a database that came back
    #: from a backup gives ids, loads and epochs out again.
    created_at: datetime
    chunks: tuple[Chunk, ...]


def current(engine: Engine, config_id: int) -> Backfill | None:
    """Return the row's open plan, if there is one."""
    with transaction(engine, readonly=True) as connection:
        row = connection.execute(_CURRENT, {"config_id": config_id}, execution_options=LAST).one_or_none()
    if row is None:
        return None
    return Backfill(
        id=row.id,
        mode=row.mode,
        content_hash=row.content_hash,
        high=row.high,
        watermark=row.watermark,
        started_by=row.started_by,
        epoch=row.epoch,
        load_full=flag(row.load_full),
        created_at=row.created_at.astimezone(UTC),
        chunks=tuple(Chunk(**chunk) for chunk in row.chunks or ()),
    )


def begin(
    engine: Engine,
    started: Started,
    *,
    mode: str,
    low: str | None,
    high: str | None,
    watermark: str | None,
    chunks: Sequence[Chunk],
) -> Backfill:
    """Freeze a plan; one that is open is abandoned. Repeatable. Raises Fenced."""
    items = [{"number": c.number, "low": c.low, "high": c.high, "null_cursor": c.null_cursor} for c in chunks]
    values = {
        "mode": mode,
        "content_hash": started.config.content_hash,
        "low": low,
        "high": high,
        "watermark": watermark,
        "chunks": json.dumps(items),
    }
    with transaction(engine) as connection:
        connection.execute(_ABANDON, _of(started))
        hit = connection.execute(_BEGIN, values | _of(started), execution_options=LAST).rowcount
    _refuse_if_fenced(engine, started, hit)
    found = current(engine, started.config_id)
    assert found is not None, "nobody but the load that holds the row ends its plan"
    return found


def abandon(engine: Engine, started: Started) -> None:
    """End the open plan, if there is one: the next load begins anew. Repeatable."""
    with transaction(engine) as connection:
        connection.execute(_ABANDON, _of(started), execution_options=LAST)


def record(
    engine: Engine,
    started: Started,
    number: int,
    *,
    rows_read: int | None,
    rows_published: int,
    target_version: int | None,
) -> None:
    """Write down that a chunk is done; repeatable. Raises Fenced."""
    values = {
        "number": number,
        "rows_read": rows_read,
        "rows_published": rows_published,
        "target_version": target_version,
    }
    _write(engine, started, _RECORD, values)


def lower_watermark(engine: Engine, started: Started, watermark: str) -> None:
    """Write down that the plan will have brought the row no further than this; repeatable. Raises Fenced."""
    _write(engine, started, _LOWER_WATERMARK, {"watermark": watermark})


def _write(engine: Engine, started: Started, statement: TextClause, values: Mapping[str, Any]) -> None:
    with transaction(engine) as connection:
        hit = connection.execute(statement, {**values, **_of(started)}, execution_options=LAST).rowcount
    _refuse_if_fenced(engine, started, hit)


def _of(started: Started) -> dict[str, int]:
    return {
        "config_id": started.config_id,
        "epoch": started.epoch,
        "metadata_id": started.metadata_id,
    }


def _refuse_if_fenced(engine: Engine, started: Started, hit: int) -> None:
    if hit == 0:
        raise_fenced(engine, started.metadata_id, started.epoch)
