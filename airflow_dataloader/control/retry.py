"""What becomes of a row that failed: tried again, or left to a person."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import MAX_RETRIES, REVIEW
from airflow_dataloader.control.transaction import LAST, transaction

#: Marks the message of a row that goes back to be tried again; the documents' words.
RETRY = "[AI Analysis - Retry Recommended]"

_RESET = text("""
UPDATE control.table_control t SET
    last_status = CASE WHEN t.retry_count < :max_retries THEN NULL ELSE t.last_status END,
    retry_count = least(t.retry_count + 1, greatest(t.retry_count, :max_retries)),
    next_load_date_time = CASE WHEN t.retry_count < :max_retries
        THEN clock_timestamp() ELSE t.next_load_date_time END,
    last_status_message = concat_ws(' ', CASE WHEN t.retry_count < :max_retries
        THEN CAST(:retry AS text) ELSE CAST(:review AS text) || ' Retries exhausted.' END,
        CAST(:reason AS text), t.last_status_message)
WHERE t.config_id = :config_id AND t.last_status = 'Failed'
RETURNING t.last_status""")

_REVIEW = text("""
UPDATE control.table_control t SET
    last_status_message = concat_ws(' ', CAST(:review AS text), CAST(:reason AS text), t.last_status_message)
WHERE t.config_id = :config_id AND t.last_status = 'Failed'""")


class Reset(StrEnum):
    """What became of a failed row."""

    #: It is tried again with the next claim.
    RETRY = "retry"
    #: Its retries were used up: it stays Failed, marked for review.
    REVIEW = "review"
    #: It was not Failed any more; nothing was changed.
    UNCHANGED = "unchanged"


def reset_for_retry(
    engine: Engine,
    config_id: int,
    reason: str,
    *,
    max_retries: int = MAX_RETRIES,
    changed_by: str | None = None,
) -> Reset:
    """Have a failed row tried again at once, and count it; without retries left, mark it for review."""
    values = {
        "config_id": config_id,
        "reason": reason,
        "max_retries": max_retries,
        "retry": RETRY,
        "review": REVIEW,
    }
    with transaction(engine, change_source="status_reset", changed_by=changed_by) as connection:
        row = connection.execute(_RESET, values, execution_options=LAST).one_or_none()
    if row is None:
        return Reset.UNCHANGED
    return Reset.REVIEW if row.last_status else Reset.RETRY


def mark_for_review(engine: Engine, config_id: int, reason: str) -> bool:
    """Say on a failed row that a person has to look; False when it is not Failed any more."""
    values = {"config_id": config_id, "reason": reason, "review": REVIEW}
    with transaction(engine) as connection:
        return connection.execute(_REVIEW, values, execution_options=LAST).rowcount == 1
