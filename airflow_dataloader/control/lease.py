"""Starts a load that was claimed, and renews its lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, text

from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.fenced import raise_fenced
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.config_hash import content_hash
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.defaults import LEASE_SECONDS
from airflow_dataloader.exceptions import ConfigurationError

#: The load and its row move together. ``held`` locks the row first, as every statement here does. A second
#: start with the same nonce finds the load In Progress and changes nothing but the lease.
#:
#: ``uncertain``: earlier loads of the target, this row's or another's, that started and whose writes nobody
#: knows for certain, as far back as the last load that fenced this target or published to it; see
#: docs/adr/0004 and 0010.
_START = text("""
WITH held AS MATERIALIZED (
    SELECT t.config_id FROM control.table_control t
    WHERE t.config_id = (SELECT config_id FROM control.historical_metadata WHERE id = :metadata_id)
        AND t.load_epoch = :epoch AND t.last_status IN ('Queued', 'In Progress')
    FOR UPDATE
),
started AS (
    UPDATE control.historical_metadata h SET
        load_status = 'In Progress',
        load_start_time = coalesce(h.load_start_time, clock_timestamp()),
        start_nonce = :nonce,
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        progress_at = coalesce(h.progress_at, clock_timestamp()),
        databricks_run = coalesce(:databricks_run, h.databricks_run),
        workspace_host = coalesce(:workspace_host, h.workspace_host)
    FROM held
    WHERE h.id = :metadata_id AND h.epoch = :epoch
        AND (h.load_status = 'Queued' OR (h.load_status = 'In Progress' AND h.start_nonce = :nonce))
    RETURNING h.*, control.target_key(h) AS target_key
),
moved AS (
    UPDATE control.table_control t SET
        last_status = 'In Progress',
        last_status_date_time = s.load_start_time,
        last_load_date_time = s.load_start_time,
        last_databricks_run = coalesce(t.last_databricks_run, s.databricks_run)
    FROM started s WHERE t.config_id = s.config_id
    RETURNING t.config_id
),
fenced AS (
    SELECT h.id FROM control.historical_metadata h CROSS JOIN started s
    WHERE control.target_key(h) = s.target_key AND h.id < s.id AND control.has_fenced(h)
    ORDER BY h.id DESC LIMIT 1
),
published AS (
    SELECT coalesce(h.writer_epoch, h.epoch) AS epoch,
        h.load_status <> 'Succeeded' AS failed
    FROM control.historical_metadata h CROSS JOIN started s
    WHERE control.target_key(h) = s.target_key
        AND h.config_id = s.config_id AND h.id < s.id AND h.target_version IS NOT NULL
        AND h.receipt ->> 'committed_by' IS NULL
    ORDER BY h.id DESC LIMIT 1
),
last AS (
    SELECT h.receipt, control.target_key(h) AS target_key
    FROM control.historical_metadata h CROSS JOIN started s
    WHERE h.config_id = s.config_id AND h.id < s.id AND h.load_status = 'Succeeded' AND h.receipt IS NOT NULL
    ORDER BY h.id DESC LIMIT 1
)
SELECT s.id, s.config_id, s.epoch, s.config_snapshot, s.load_start_time,
    (SELECT id FROM control.installation) AS installation,
    (SELECT jsonb_agg(jsonb_build_object(
            'metadata_id', h.id, 'config_id', h.config_id,
            'epoch', coalesce(h.writer_epoch, h.epoch), 'low', h.watermark_low,
            'nonce', h.start_nonce, 'snapshot', h.config_snapshot) ORDER BY h.id)
        FROM control.historical_metadata h
        WHERE control.target_key(h) = s.target_key
            AND h.id < s.id AND h.id >= coalesce((SELECT id FROM fenced), 0)
            AND control.is_uncertain(h) AND h.adopted_by IS NULL) AS uncertain,
    (SELECT receipt FROM last) AS last_receipt,
    coalesce((SELECT target_key = s.target_key FROM last), false) AS last_was_here,
    (SELECT epoch FROM published) AS published_epoch,
    coalesce((SELECT failed FROM published), false) AS published_failed
FROM started s JOIN moved ON moved.config_id = s.config_id""")

_HEARTBEAT = text("""
UPDATE control.historical_metadata h SET
    lease_until = clock_timestamp() + make_interval(secs => :lease),
    progress_at = CASE WHEN :progressed THEN clock_timestamp() ELSE h.progress_at END
FROM control.table_control t
WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.start_nonce = :nonce AND h.load_status = 'In Progress'
    AND t.config_id = h.config_id AND t.load_epoch = :epoch AND t.last_status = 'In Progress'""")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An earlier load of the target whose writes may have landed unrecorded, or may land yet."""

    metadata_id: int
    #: Its row: this load's own, or one that had the same target then.
    config_id: int
    #: What its loader wrote with; a reap gives the load a later one.
    epoch: int
    #: What its loader made up for itself.
    nonce: str
    #: Watermark at its claim.
    low: str | None
    #: :func:`airflow_dataloader.core.config_hash.content_hash` of its configuration.
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class Started:
    """A load that is this loader's own until it settles, or is fenced."""

    metadata_id: int
    config_id: int
    epoch: int
    #: When it began, by the control database's clock.
    started_at: datetime
    #: The control database's own id, 32 hexadecimal digits: part of the writer's name at the target.
    installation: str
    #: As the claim froze it, ``incremental_value`` with it; an adopted commit moves that on.
    config: LoadConfig
    #: Oldest first; empty: the target needs no fence.
    uncertain: tuple[Attempt, ...]
    #: What this loader made up for itself, so that its later writes are known as its own.
    nonce: str
    #: Receipt of the row's last load that succeeded.
    last_receipt: Mapping[str, Any] | None
    #: Whether that load was one of this target.
    last_was_here: bool
    #: What the row's last load on record that published to this target wrote with; None: none is on record.
    published_epoch: int | None
    #: Whether that load failed, or was broken off, after it had published; also where another has adopted it.
    published_failed: bool


def start(
    engine: Engine,
    metadata_id: int,
    epoch: int,
    *,
    nonce: str,
    databricks_run: str | None = None,
    workspace_host: str | None = None,
    lease_seconds: int = LEASE_SECONDS,
) -> Started:
    """Move a queued load to In Progress for the loader that made ``nonce`` up; repeatable with that nonce.

    Accepted also after the claim's lease, as long as nobody gave the load up. Raises Fenced when the load is
    over or another loader's, ConfigurationError when this version cannot read its configuration.
    """
    values = {
        "metadata_id": metadata_id,
        "epoch": epoch,
        "nonce": nonce,
        "databricks_run": databricks_run,
        "workspace_host": workspace_host,
        "lease": lease_seconds,
    }
    with transaction(engine) as connection:
        row = connection.execute(_START, values, execution_options=LAST).one_or_none()
    if row is None:
        raise_fenced(engine, metadata_id, epoch)
    try:
        return _started(row, nonce)
    except ValueError as error:
        raise _unreadable(engine, row, nonce, str(error)) from None


def _started(row: Row[Any], nonce: str) -> Started:
    return Started(
        metadata_id=row.id,
        config_id=row.config_id,
        epoch=row.epoch,
        started_at=row.load_start_time,
        installation=row.installation,
        config=LoadConfig.from_snapshot(row.config_snapshot),
        uncertain=tuple(
            Attempt(
                metadata_id=attempt["metadata_id"],
                config_id=attempt["config_id"],
                epoch=attempt["epoch"],
                nonce=attempt["nonce"],
                low=attempt["low"],
                content_hash=content_hash(attempt["snapshot"] or {}),
            )
            for attempt in row.uncertain or ()
        ),
        nonce=nonce,
        last_receipt=row.last_receipt,
        last_was_here=row.last_was_here,
        published_epoch=row.published_epoch,
        published_failed=row.published_failed,
    )


def _unreadable(engine: Engine, row: Row[Any], nonce: str, problems: str) -> ConfigurationError:
    """Fail a load that another version of this package claimed and this one cannot run."""
    error = ConfigurationError(
        f"config_id {row.config_id} was claimed by a version that accepts what this one refuses: {problems}",
        fix="run the same version of the package in Airflow and on the cluster",
    )
    ending = Ending(
        metadata_id=row.id,
        epoch=row.epoch,
        status=LoadStatus.FAILED,
        failure=Failure.of(error, Phase.START),
        settled_by=SettledBy.LOADER,
        nonce=nonce,
    )
    with transaction(engine) as connection:
        end(connection, [ending], last=True)
    return error


def heartbeat(
    engine: Engine,
    metadata_id: int,
    epoch: int,
    nonce: str,
    *,
    progressed: bool,
    lease_seconds: int = LEASE_SECONDS,
) -> None:
    """Renew the lease, and the time of the last progress if there was any. Raises Fenced when it is lost."""
    values = {
        "metadata_id": metadata_id,
        "epoch": epoch,
        "nonce": nonce,
        "progressed": progressed,
        "lease": lease_seconds,
    }
    with transaction(engine) as connection:
        hit = connection.execute(_HEARTBEAT, values, execution_options=LAST).rowcount
    if hit == 0:
        raise_fenced(engine, metadata_id, epoch)
