"""Why a load's write hit nothing, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, text

from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.status import LIVE, LoadStatus
from airflow_dataloader.exceptions import Fenced

_LOOK = text("""
SELECT h.config_id, h.epoch, h.load_status, h.start_nonce, h.log_message, h.receipt, h.reaping_until,
    h.failure ->> 'settled_by' AS settled_by,
    t.config_id IS NOT NULL AS row_there, t.load_epoch, t.last_status
FROM control.historical_metadata h LEFT JOIN control.table_control t ON t.config_id = h.config_id
WHERE h.id = :metadata_id""")


@dataclass(frozen=True, kw_only=True)
class LoadState:
    """A load and its row as they are now."""

    metadata_id: int
    config_id: int | None
    epoch: int | None
    load_status: str | None
    start_nonce: str | None
    message: str | None
    receipt: Mapping[str, Any] | None
    row_there: bool
    row_epoch: int | None
    row_status: str | None
    being_reaped: bool
    #: Who ended it, where it did not succeed.
    settled_by: str | None

    def is_own(self, nonce: str, status: LoadStatus) -> bool:
        """Return whether the loader with ``nonce`` has ended it so; its answer may have been lost."""
        by_loader = status == LoadStatus.SUCCEEDED or self.settled_by == SettledBy.LOADER
        return self.start_nonce == nonce and self.load_status == status and by_loader


def read_load(connection: Connection, metadata_id: int) -> LoadState | None:
    """Return how a load stands, or None if there is no such load. Ends the transaction."""
    row = connection.execute(_LOOK, {"metadata_id": metadata_id}, execution_options=LAST).one_or_none()
    if row is None:
        return None
    return LoadState(
        metadata_id=metadata_id,
        config_id=row.config_id,
        epoch=row.epoch,
        load_status=row.load_status,
        start_nonce=row.start_nonce,
        message=row.log_message,
        receipt=row.receipt,
        row_there=row.row_there,
        row_epoch=row.load_epoch,
        row_status=row.last_status,
        being_reaped=row.reaping_until is not None,
        settled_by=row.settled_by,
    )


def raise_fenced(engine: Engine, metadata_id: int, epoch: int) -> NoReturn:
    """Raise Fenced with the reason why a write of a load that thought to hold ``epoch`` hit nothing."""
    with transaction(engine, readonly=True) as connection:
        standing = read_load(connection, metadata_id)
    raise fenced(metadata_id, epoch, standing)


def fenced(metadata_id: int, epoch: int, standing: LoadState | None) -> Fenced:
    """Return the error for a load that thought to hold ``epoch``."""
    if standing is None:
        return Fenced(f"There is no load {metadata_id} in this control database.")
    return Fenced(f"Load {metadata_id} of config_id {standing.config_id} {_reason(epoch, standing)}")


def _reason(epoch: int, standing: LoadState) -> str:
    if standing.load_status not in LIVE:
        return f"is over: {standing.load_status}. {standing.message or ''}".rstrip()
    status, by_hand = standing.load_status, standing.row_status or "NULL"
    reasons = (
        (not standing.row_there, "has lost its row, which was deleted."),
        (standing.being_reaped, "is being given up."),
        (
            standing.row_epoch != epoch,
            f"held epoch {epoch}, and the row is at epoch {standing.row_epoch} by now.",
        ),
        (status == LoadStatus.QUEUED, "was never started."),
        (standing.row_status != status, f"is {status}, and its row was set to {by_hand} by hand."),
        (True, "was started by another loader."),
    )
    return next(reason for holds, reason in reasons if holds)
