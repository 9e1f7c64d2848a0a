"""Why a load's write hit nothing, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, text

from airflow_dataloader.control.ending import SettledBy
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.control.tries import try_number
from airflow_dataloader.core.status import LIVE, LoadStatus
from airflow_dataloader.exceptions import Fenced

_LOOK = text("""
SELECT h.config_id, h.epoch, h.load_status, h.start_nonce, h.log_message, h.receipt, h.reaping_until,
    CASE WHEN h.submit_token IS NOT NULL THEN h.airflow_task END AS airflow_task,
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
    #: The try of its task that answers for it; None: none has attached to it.
    airflow_task: str | None = None

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
        airflow_task=row.airflow_task,
    )


def raise_fenced(
    engine: Engine, metadata_id: int, epoch: int, *, airflow_task: str | None = None
) -> NoReturn:
    """Raise Fenced with the reason why a write of a load that thought to hold ``epoch`` hit nothing.

    ``airflow_task``: the try of the load's task that wrote, where one did.
    """
    with transaction(engine, readonly=True) as connection:
        standing = read_load(connection, metadata_id)
    raise fenced(metadata_id, epoch, standing, airflow_task=airflow_task)


def fenced(
    metadata_id: int, epoch: int, standing: LoadState | None, *, airflow_task: str | None = None
) -> Fenced:
    """Return the error for a load that thought to hold ``epoch``, or for a try of its task."""
    if standing is None:
        return Fenced(f"There is no load {metadata_id} in this control database.")
    reason = _reason(epoch, standing, airflow_task)
    return Fenced(f"Load {metadata_id} of config_id {standing.config_id} {reason}")


def _reason(epoch: int, standing: LoadState, airflow_task: str | None) -> str:
    if standing.load_status not in LIVE:
        return f"is over: {standing.load_status}. {standing.message or ''}".rstrip()
    status, by_hand = standing.load_status, standing.row_status or "NULL"
    answering = try_number(standing.airflow_task)
    overtaken = airflow_task is not None and answering > try_number(airflow_task)
    reasons = (
        (not standing.row_there, "has lost its row, which was deleted."),
        (standing.being_reaped, "is being given up."),
        (
            standing.row_epoch != epoch,
            f"held epoch {epoch}, and the row is at epoch {standing.row_epoch} by now.",
        ),
        (overtaken, f"is answered for by try {answering} of its task, which is newer than this one."),
        (status == LoadStatus.QUEUED, "was never started."),
        (standing.row_status != status, f"is {status}, and its row was set to {by_hand} by hand."),
        (True, "was started by another loader."),
    )
    return next(reason for holds, reason in reasons if holds)
