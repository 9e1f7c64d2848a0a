"""What becomes of a row that failed: tried again, or left to a person."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import MAX_RETRIES, REVIEW
from airflow_dataloader.control.row_lock import HOLD_ROW
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.texts import kept_text

#: Marks the message of a row that goes back to be tried again; the documents' words.
RETRY = "[AI Analysis - Retry Recommended]"

#: A verdict about a load holds as long as the row has not been claimed since.
_STILL_ABOUT = """
    AND (CAST(:metadata_id AS bigint) IS NULL OR EXISTS (
        SELECT FROM control.historical_metadata h
        WHERE h.id = :metadata_id AND h.config_id = t.config_id AND NOT EXISTS (
            SELECT FROM control.historical_metadata n WHERE n.config_id = t.config_id AND n.id > h.id)))"""

#: The row's message with ``:mark`` at its beginning, and the reason behind that; each of them only once.
_MARKED = """
    CASE WHEN NOT starts_with(t.last_status_message, :mark)
            OR strpos(concat(' ', t.last_status_message, ' '), concat(' ', CAST(:reason AS text), ' ')) = 0
            OR t.last_status_message IS NULL
        THEN concat_ws(' ', CAST(:mark AS text), nullif(:reason, ''), nullif(ltrim(CASE
            WHEN starts_with(t.last_status_message, :mark)
            THEN substr(t.last_status_message, length(:mark) + 1) ELSE t.last_status_message END), ''))
        ELSE t.last_status_message END"""

_RESET = text(
    "".join(
        (
            """
UPDATE control.table_control t SET
    last_status = CASE WHEN t.retry_count < :max_retries THEN NULL ELSE t.last_status END,
    retry_count = CASE WHEN t.retry_count < :max_retries THEN t.retry_count + 1 ELSE t.retry_count END,
    next_load_date_time = CASE WHEN t.retry_count < :max_retries
        THEN clock_timestamp() ELSE t.next_load_date_time END,
    last_status_message = CASE WHEN t.retry_count < :max_retries
        THEN concat_ws(' ', CAST(:retry AS text), CAST(:reason AS text), t.last_status_message)
        ELSE""",
            _MARKED,
            """ END
WHERE t.config_id = :config_id AND t.last_status = 'Failed'""",
            _STILL_ABOUT,
            """
RETURNING t.last_status""",
        )
    )
)

_REVIEW = text(
    "".join(
        (
            "UPDATE control.table_control t SET last_status_message =",
            _MARKED,
            " WHERE t.config_id = :config_id AND t.last_status = 'Failed'",
            _STILL_ABOUT,
        )
    )
)


class Reset(StrEnum):
    """What became of a failed row."""

    #: It is tried again with the next claim.
    RETRY = "retry"
    #: Its retries were used up: it stays Failed, marked for review.
    REVIEW = "review"
    #: It was not Failed any more, or not by that load; nothing was changed.
    UNCHANGED = "unchanged"


def reset_for_retry(
    engine: Engine,
    config_id: int,
    reason: str,
    *,
    metadata_id: int | None = None,
    max_retries: int = MAX_RETRIES,
    changed_by: str | None = None,
) -> Reset:
    """Have a failed row tried again at once, and count it; without retries left, mark it for review.

    ``metadata_id`` is the load that the reason is about: where another has come since, nothing is changed.
    None: whichever failed last. Repeatable.
    """
    values = {
        "config_id": config_id,
        "metadata_id": metadata_id,
        "reason": kept_text(reason),
        "max_retries": max_retries,
        "retry": RETRY,
        "mark": f"{REVIEW} Retries exhausted.",
    }
    with transaction(engine, change_source="status_reset", changed_by=changed_by) as connection:
        connection.execute(HOLD_ROW, values)
        row = connection.execute(_RESET, values, execution_options=LAST).one_or_none()
    if row is None:
        return Reset.UNCHANGED
    return Reset.REVIEW if row.last_status else Reset.RETRY


def mark_for_review(engine: Engine, config_id: int, reason: str, *, metadata_id: int | None = None) -> bool:
    """Note on a failed row that a person has to look; False when it is not Failed any more. Repeatable.

    ``metadata_id`` is the load that the reason is about: False also where another has come since. None:
    whichever failed last.
    """
    values = {"config_id": config_id, "metadata_id": metadata_id, "reason": kept_text(reason), "mark": REVIEW}
    with transaction(engine) as connection:
        connection.execute(HOLD_ROW, values)
        return connection.execute(_REVIEW, values, execution_options=LAST).rowcount == 1
