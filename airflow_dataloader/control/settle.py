"""Settles a load by its loader's word: row and history change in one statement, or nothing does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine

from airflow_dataloader.control.ending import Ending, SettledBy, counts, end
from airflow_dataloader.control.fenced import LoadState, fenced, raise_fenced, read_load
from airflow_dataloader.control.lease import Attempt, Started
from airflow_dataloader.control.row_lock import with_row_lock
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.failure import Failure
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus, RowStatus
from airflow_dataloader.core.texts import kept_json, kept_text, refuse_unkept

#: The receipt's key for the columns that a load would have set, and that a person had edited meanwhile.
KEPT_EDITS = "kept_edits"

#: ``kept``: fields that this load would set, that it does not find as it was claimed with, and that do not
#: happen to say the same already.
_SUCCEED = with_row_lock(""",
edited AS (
    SELECT t.config_id, array_remove(ARRAY[
        CASE WHEN CAST(:watermark AS text) IS NOT NULL AND t.incremental_value IS DISTINCT FROM :was_value
            AND t.incremental_value IS DISTINCT FROM :watermark THEN 'incremental_value' END,
        CASE WHEN CAST(:strategy AS text) IS NOT NULL AND t.load_strategy IS DISTINCT FROM :was_strategy
            AND t.load_strategy IS DISTINCT FROM :strategy THEN 'load_strategy' END,
        CASE WHEN :clear_load_full AND t.load_full IS DISTINCT FROM :was_load_full
            AND t.load_full IS NOT NULL THEN 'load_full' END], NULL) AS kept
    FROM held t
),
ended AS (
    UPDATE control.historical_metadata h SET
        load_status = 'Succeeded',
        load_end_time = clock_timestamp(),
        total_duration = control.seconds_since(h.load_queued_time),
        log_message = concat_ws(' ', nullif(:message, ''), CASE WHEN cardinality(edited.kept) > 0
            THEN 'Edited meanwhile, left as edited: ' || array_to_string(edited.kept, ', ') || '.' END),
        receipt = CAST(:receipt AS jsonb) || CASE WHEN cardinality(edited.kept) > 0
            THEN jsonb_build_object(CAST(:kept_edits AS text), edited.kept) ELSE '{}' END,
        rows_processed = :rows_processed,
        rows_read = :rows_read,
        rows_inserted = :rows_inserted,
        rows_updated = :rows_updated,
        rows_deleted = :rows_deleted,
        watermark_high = :watermark_high,
        target_version = :target_version,
        failure = NULL,
        lease_until = NULL,
        reaping_until = NULL
    FROM edited
    WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.start_nonce = :nonce
        AND h.load_status = 'In Progress'
    RETURNING h.config_id, h.log_message, edited.kept
),
moved AS (
    UPDATE control.table_control t SET
        last_status = 'Succeeded',
        last_status_date_time = clock_timestamp(),
        last_status_message = nullif(e.log_message, ''),
        retry_count = 0,
        incremental_value = CASE WHEN CAST(:watermark AS text) IS NULL OR 'incremental_value' = ANY (e.kept)
            THEN t.incremental_value ELSE :watermark END,
        watermark_of = CASE WHEN CAST(:watermark AS text) IS NULL OR 'incremental_value' = ANY (e.kept)
            THEN t.watermark_of ELSE coalesce(CAST(:watermark_of AS text), t.watermark_of) END,
        load_strategy = CASE WHEN CAST(:strategy AS text) IS NULL OR 'load_strategy' = ANY (e.kept)
            THEN t.load_strategy ELSE :strategy END,
        load_full = CASE WHEN NOT :clear_load_full OR 'load_full' = ANY (e.kept)
            THEN t.load_full END,
        staging_model_processed = t.staging_model_processed AND NOT :staging_changed
    FROM ended e WHERE t.config_id = e.config_id
    RETURNING t.config_id
),
backfilled AS (
    -- In this statement, or a backfill that is over would be taken for one to go on with, or be done again.
    UPDATE control.backfill b SET
        status = CASE WHEN :was_strategy = 'chunked_backfill' THEN 'done' ELSE 'abandoned' END,
        ended_at = clock_timestamp()
    FROM ended e WHERE b.config_id = e.config_id AND b.status = 'open'
)
SELECT ended.kept, ended.log_message FROM ended JOIN moved ON moved.config_id = ended.config_id""")

#: The attempt's own status stays: a final status never changes. Where the row's watermark is still the one
#: that the attempt began with, it moves on, and this load counts as claimed with the new one.
_ADOPT = with_row_lock(""",
adopted AS (
    UPDATE control.historical_metadata h SET
        adopted_by = :metadata_id,
        log_message = CASE WHEN h.adopted_by IS NULL
            THEN concat_ws(' ', h.log_message, nullif(:said, '')) ELSE h.log_message END,
        rows_processed = :rows_processed,
        rows_read = coalesce(:rows_read, h.rows_read),
        rows_inserted = :rows_inserted,
        rows_updated = :rows_updated,
        rows_deleted = :rows_deleted,
        watermark_high = coalesce(:watermark, h.watermark_high),
        target_version = :target_version
    FROM held
    WHERE h.id = :attempt_id AND h.config_id = held.config_id AND h.id <> :metadata_id
    RETURNING h.config_id
),
own AS (
    UPDATE control.historical_metadata h SET
        watermark_low = :watermark,
        config_snapshot = h.config_snapshot
            || jsonb_build_object(
                'incremental_value', CAST(:watermark AS text), 'watermark_of', CAST(:watermark_of AS text))
    FROM held JOIN adopted ON adopted.config_id = held.config_id
    WHERE h.id = :metadata_id AND h.epoch = :epoch AND h.load_status = 'In Progress'
        AND CAST(:watermark AS text) IS NOT NULL
        AND (held.incremental_value IS NOT DISTINCT FROM :low OR held.incremental_value = :watermark)
    RETURNING h.config_id
),
moved AS (
    UPDATE control.table_control t SET incremental_value = :watermark, watermark_of = :watermark_of
    FROM own WHERE t.config_id = own.config_id AND t.incremental_value IS DISTINCT FROM :watermark
    RETURNING t.config_id
)
SELECT held.incremental_value, EXISTS (SELECT FROM own) AS moved, (SELECT count(*) FROM moved) AS _
FROM held JOIN adopted ON adopted.config_id = held.config_id""")

#: An edit since the claim wins.
_LOAD_FULL_DONE = with_row_lock("""
UPDATE control.table_control t SET load_full = NULL
FROM held WHERE t.config_id = held.config_id AND held.load_full IS NOT DISTINCT FROM :was_load_full""")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A load that succeeded, on record."""

    #: Columns of the row that somebody edited while the load ran; they were left as edited.
    kept_edits: tuple[str, ...]
    #: ``log_message``: what the load had to say, and which edits were kept.
    message: str


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """An earlier attempt's commit, on record."""

    #: This load, with the watermark to go on from.
    started: Started
    #: Whether the row's watermark follows from the commit; not where it was edited, or is further on.
    moved: bool


def succeed(
    engine: Engine,
    started: Started,
    *,
    receipt: Receipt,
    watermark: str | None,
    committed_before: bool = False,
    strategy_after: str | None = None,
    clear_load_full: bool = False,
    staging_changed: bool = False,
    message: str = "",
) -> Settled:
    """Write Succeeded, the receipt, and what follows for the row; repeatable.

    ``watermark`` None leaves ``incremental_value``. ``committed_before``: an earlier attempt had published up
    to it, with this row as it is. ``staging_changed``: the target's columns changed, so schema files are due
    again. Raises Fenced when the load is not this loader's any more, and ValueRefused where the watermark
    cannot be kept as it is.
    """
    refuse_unkept(watermark, "The watermark")
    snapshot = started.config.snapshot
    reached = committed_before or receipt.target_version is not None
    values = {
        "metadata_id": started.metadata_id,
        "config_id": started.config_id,
        "epoch": started.epoch,
        "nonce": started.nonce,
        "message": kept_text(message),
        "receipt": kept_json(receipt.as_json()),
        "kept_edits": KEPT_EDITS,
        "watermark": watermark,
        # Whoever published nothing only passes on what somebody else has reached, or said.
        "watermark_of": started.config.watermark_hash if reached else None,
        "was_value": snapshot.get("incremental_value"),
        "strategy": strategy_after,
        "was_strategy": snapshot.get("load_strategy"),
        "clear_load_full": clear_load_full,
        "was_load_full": snapshot.get("load_full"),
        "staging_changed": staging_changed,
        **counts(receipt),
    }
    with transaction(engine, change_source="loader") as connection:
        row = connection.execute(_SUCCEED, values, execution_options=LAST).one_or_none()
    if row is not None:
        return Settled(kept_edits=tuple(row.kept), message=row.log_message)
    standing = _own_word(engine, started, LoadStatus.SUCCEEDED)
    kept = (standing.receipt or {}).get(KEPT_EDITS, ())
    return Settled(kept_edits=tuple(kept), message=standing.message or "")


def fail(
    engine: Engine,
    started: Started,
    *,
    failure: Failure,
    receipt: Receipt | None,
    cancelled: bool = False,
    load_full_done: bool = False,
) -> None:
    """Write Failed (``cancelled``: Cancelled, and the row Failed); repeatable. Raises Fenced.

    The receipt matters also here: it says whether the load fenced the target, or published.
    ``load_full_done``: it has replaced the table as ``load_full`` asks, and no later load shall do so again.
    """
    status = LoadStatus.CANCELLED if cancelled else LoadStatus.FAILED
    ending = Ending(
        metadata_id=started.metadata_id,
        epoch=started.epoch,
        status=status,
        failure=failure,
        settled_by=SettledBy.LOADER,
        receipt=receipt,
        nonce=started.nonce,
        while_in=frozenset({RowStatus.IN_PROGRESS}),
    )
    with transaction(engine, change_source="loader") as connection:
        if load_full_done:
            connection.execute(_LOAD_FULL_DONE, _of_load_full(started))
        ended = end(connection, [ending], last=True)
    if not ended:
        _own_word(engine, started, status)


def adopt(
    engine: Engine,
    started: Started,
    attempt: Attempt,
    *,
    found: Receipt,
    watermark: str | None,
    load_full_done: bool = False,
) -> Adopted:
    """Record a commit that ``attempt`` made and never settled; repeatable. Raises Fenced.

    ``found``: version and row counts of the commit, by the target's own history, and what the attempt had to
    say; its message ends with that. ``watermark`` is the upper bound of the attempt's window, and moves the
    row's only where that is still the ``attempt.low``; None where the commit says nothing about it (another
    configuration, no cursor). Raises ValueRefused where it cannot be kept as it is. ``load_full_done``: the
    commit has replaced the table as ``load_full`` asks, and this load shall not do so again.
    """
    refuse_unkept(watermark, "The watermark")
    values: dict[str, Any] = {
        "metadata_id": started.metadata_id,
        "config_id": started.config_id,
        "epoch": started.epoch,
        "attempt_id": attempt.metadata_id,
        "low": attempt.low,
        "watermark": watermark,
        "watermark_of": started.config.watermark_hash,
        "said": kept_text(" ".join(found.notes)),
        **counts(found),
    }
    with transaction(engine, change_source="loader") as connection:
        if load_full_done:
            connection.execute(_LOAD_FULL_DONE, _of_load_full(started))
        row = connection.execute(_ADOPT, values, execution_options=LAST).one_or_none()
    if row is None:
        raise_fenced(engine, started.metadata_id, started.epoch)
    own: dict[str, Any] = {"load_full": None} if load_full_done else {}
    if row.moved:
        own |= {"incremental_value": watermark, "watermark_of": started.config.watermark_hash}
    config = LoadConfig.from_snapshot({**started.config.snapshot, **own})
    return Adopted(started=replace(started, config=config), moved=row.moved)


def finish_load_full(engine: Engine, started: Started) -> None:
    """Clear the row's ``load_full``, as the table is replaced; nothing where the load has lost its row."""
    with transaction(engine, change_source="loader") as connection:
        connection.execute(_LOAD_FULL_DONE, _of_load_full(started), execution_options=LAST)


def _of_load_full(started: Started) -> dict[str, Any]:
    return {
        "config_id": started.config_id,
        "epoch": started.epoch,
        "was_load_full": started.config.snapshot.get("load_full"),
    }


def _own_word(engine: Engine, started: Started, status: LoadStatus) -> LoadState:
    """Return the load as this loader's own settlement left it, if its answer was lost; else raise Fenced."""
    with transaction(engine, readonly=True) as connection:
        standing = read_load(connection, started.metadata_id)
    if standing is None or not standing.is_own(started.nonce, status):
        raise fenced(started.metadata_id, started.epoch, standing)
    return standing
