"""Ending loads without success: row and history in one statement, by whoever comes first.

Every statement that moves a load locks its row in ``table_control`` before its record in the history, so two
of them wait for each other in one order only, and the second finds the load over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from airflow_dataloader.control.transaction import LAST
from airflow_dataloader.core.failure import Failure
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LIVE, LoadStatus, RowStatus
from airflow_dataloader.core.texts import can_be_kept, kept_json

#: Marks a message whose row nobody tries to mend any more; the documents' words.
REVIEW = "[AI Analysis - Requires Review]"

#: Retries after which a failed row is left to its next slot.
MAX_RETRIES = 3


class SettledBy(StrEnum):
    """Who ended a load, as ``failure.settled_by`` records it. Only a loader knows what it wrote."""

    LOADER = "loader"
    REAP = "reap"
    CANCEL = "cancel"
    CLAIM = "claim"
    TRIGGER = "trigger"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of one load: Failed or Cancelled, and what has to be true still."""

    metadata_id: int
    #: The row's ``load_epoch`` that makes this load the row's own.
    epoch: int
    status: LoadStatus
    failure: Failure
    settled_by: SettledBy
    receipt: Receipt | None = None
    #: The loader's own nonce; None where somebody else ends the load.
    nonce: str | None = None
    #: Statuses that the load may still be in.
    while_in: frozenset[RowStatus] = LIVE
    #: The lease as PostgreSQL wrote it when the decision was made; a renewed one means that the loader lives.
    #: None: any.
    lease_until: str | None = None
    #: The try of its task that must still answer for it; None: any.
    airflow_task: str | None = None

    def __post_init__(self) -> None:
        """Refuse an ending that is a success: only the loader's settlement writes that."""
        if self.status not in {LoadStatus.FAILED, LoadStatus.CANCELLED}:
            raise ValueError(f"a load cannot be given up as {self.status}")

    def as_item(self) -> dict[str, Any]:
        """Return the values that the statement reads."""
        receipt = self.receipt or Receipt()
        return {
            "metadata_id": self.metadata_id,
            "epoch": self.epoch,
            "load_status": self.status,
            "message": self.failure.sentence,
            "failure": recorded(self.failure, self.settled_by),
            "receipt": receipt.as_json() if self.receipt else None,
            "nonce": self.nonce,
            "while_in": sorted(self.while_in),
            "lease_until": self.lease_until,
            "airflow_task": self.airflow_task,
            **counts(receipt),
        }


def recorded(failure: Failure, settled_by: SettledBy) -> dict[str, Any]:
    """Return what ``historical_metadata.failure`` holds of an end."""
    return failure.as_json() | {"settled_by": settled_by}


def counts(receipt: Receipt) -> dict[str, Any]:
    """Return the history's own columns that repeat facts of a receipt."""
    return {
        "rows_processed": receipt.rows_published,
        "rows_read": receipt.rows_read,
        "rows_inserted": receipt.rows_inserted,
        "rows_updated": receipt.rows_updated,
        "rows_deleted": receipt.rows_deleted,
        # Rather NULL than a value that was altered to be kept.
        "watermark_high": receipt.high if receipt.high and can_be_kept(receipt.high) else None,
        "target_version": receipt.target_version,
    }


_END = text("""
WITH item AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(CAST(:items AS jsonb)) AS i(
        metadata_id bigint, epoch bigint, load_status text, message text, failure jsonb, receipt jsonb,
        nonce text, while_in text[], lease_until timestamptz, airflow_task text, rows_processed bigint,
        rows_read bigint, rows_inserted bigint, rows_updated bigint, rows_deleted bigint, watermark_high text,
        target_version bigint)
),
held AS MATERIALIZED (
    SELECT t.config_id, i.*
    FROM item i
    JOIN control.historical_metadata h ON h.id = i.metadata_id
    JOIN control.table_control t ON t.config_id = h.config_id
    WHERE t.load_epoch = i.epoch AND t.last_status = ANY (i.while_in)
    ORDER BY t.config_id FOR UPDATE OF t
),
ended AS (
    UPDATE control.historical_metadata h SET
        load_status = i.load_status,
        load_end_time = clock_timestamp(),
        total_duration = control.seconds_since(h.load_queued_time),
        log_message = i.message,
        failure = i.failure,
        receipt = coalesce(i.receipt, h.receipt),
        rows_processed = i.rows_processed,
        rows_read = coalesce(i.rows_read, h.rows_read),
        rows_inserted = coalesce(i.rows_inserted, h.rows_inserted),
        rows_updated = coalesce(i.rows_updated, h.rows_updated),
        rows_deleted = coalesce(i.rows_deleted, h.rows_deleted),
        watermark_high = coalesce(i.watermark_high, h.watermark_high),
        target_version = coalesce(i.target_version, h.target_version),
        lease_until = NULL,
        reaping_until = NULL
    FROM held i
    WHERE h.id = i.metadata_id AND h.epoch = i.epoch AND h.load_status = ANY (i.while_in)
        AND (i.nonce IS NULL OR h.start_nonce = i.nonce)
        AND (i.lease_until IS NULL OR h.lease_until = i.lease_until)
        AND (i.airflow_task IS NULL OR h.airflow_task = i.airflow_task)
    RETURNING h.id, h.config_id, h.log_message
),
moved AS (
    UPDATE control.table_control t SET
        last_status = 'Failed',
        last_status_date_time = clock_timestamp(),
        last_status_message = CASE WHEN t.retry_count >= :max_retries
            THEN :review || ' Retries exhausted. ' || ended.log_message ELSE ended.log_message END
    FROM ended WHERE t.config_id = ended.config_id
    RETURNING t.config_id
)
SELECT ended.id FROM ended JOIN moved ON moved.config_id = ended.config_id""")


def end(connection: Connection, endings: Sequence[Ending], *, last: bool = False) -> set[int]:
    """End loads; return the ids of those that this call ended. The others were over, or somebody else's.

    ``last``: commit the transaction with it.
    """
    options = LAST if last else {}
    values = {
        "items": kept_json([ending.as_item() for ending in endings]),
        "max_retries": MAX_RETRIES,
        "review": REVIEW,
    }
    return set(connection.execute(_END, values, execution_options=options).scalars())
