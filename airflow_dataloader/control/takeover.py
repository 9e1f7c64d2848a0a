"""Taking a load away from its loader, so that it can write no more."""

from __future__ import annotations

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import SettledBy, recorded
from airflow_dataloader.control.live import ObservedLoad
from airflow_dataloader.control.row_lock import with_row_lock
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.failure import Failure
from airflow_dataloader.core.reaping import EndReason
from airflow_dataloader.core.texts import kept_json, kept_text

#: How long a reap waits for the lock of a load. Loaders and other reaps hold one for milliseconds.
PATIENCE = {"lock_timeout": "500ms"}

#: The new epoch is the fence. The end is said already, for whoever has to finish this.
_FENCE = with_row_lock(""",
load AS (
    UPDATE control.historical_metadata h SET
        -- Beyond all on record: a history that was copied in after a restore may be ahead.
        epoch = 1 + greatest(h.epoch, (
            SELECT max(n.epoch) FROM control.historical_metadata n WHERE n.config_id = h.config_id)),
        writer_epoch = h.epoch,
        reaping_until = clock_timestamp() + make_interval(secs => :seconds),
        failure = CAST(:failure AS jsonb),
        log_message = :message
    FROM held
    WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.load_status = 'In Progress'
        AND h.reaping_until IS NULL
        AND (CAST(:lease_until AS timestamptz) IS NULL OR h.lease_until = CAST(:lease_until AS timestamptz))
        AND (CAST(:progress_at AS timestamptz) IS NULL OR h.progress_at = CAST(:progress_at AS timestamptz))
    RETURNING h.config_id, h.epoch
)
UPDATE control.table_control t SET load_epoch = load.epoch
FROM load WHERE t.config_id = load.config_id
RETURNING t.load_epoch""")

_TAKE_OVER = text("""
UPDATE control.historical_metadata SET
    reaping_until = clock_timestamp() + make_interval(secs => :seconds)
WHERE id = :metadata_id AND epoch = :epoch AND load_status = 'In Progress'
    AND reaping_until = CAST(:seen AS timestamptz)
RETURNING epoch""")


def fence(
    engine: Engine, seen: ObservedLoad, reason: EndReason, failure: Failure, *, seconds: float
) -> int | None:
    """Give the row a new epoch that its loader does not have, for ``seconds`` ours; return that epoch.

    None: the loader is back, the load is over, or somebody else is ending it.
    """
    values = {
        "metadata_id": seen.metadata_id,
        "config_id": seen.config_id,
        "epoch": seen.epoch,
        "seconds": seconds,
        "failure": kept_json(recorded(failure, SettledBy.REAP)),
        "message": kept_text(failure.sentence),
        "lease_until": seen.lease_until if reason is EndReason.LEASE_EXPIRED else None,
        "progress_at": seen.progress_at if reason is EndReason.NO_PROGRESS else None,
    }
    with transaction(engine, settings=PATIENCE) as connection:
        epoch = connection.execute(_FENCE, values, execution_options=LAST).scalar_one_or_none()
    return None if epoch is None else int(epoch)


def take_over(engine: Engine, seen: ObservedLoad, *, seconds: float) -> int | None:
    """Go on with what another reap began and did not finish; return the epoch, or None if it is done."""
    values = {
        "metadata_id": seen.metadata_id,
        "epoch": seen.epoch,
        "seconds": seconds,
        "seen": seen.reaping_until,
    }
    with transaction(engine, settings=PATIENCE) as connection:
        epoch = connection.execute(_TAKE_OVER, values, execution_options=LAST).scalar_one_or_none()
    return None if epoch is None else int(epoch)
