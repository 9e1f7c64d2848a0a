"""One chunk of a backfill: read, staged, merged by key, put on record. Repeated, it changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

from airflow_dataloader.control.backfill import Chunk
from airflow_dataloader.control.tracking import update_metadata
from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.core.wording import listed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.backfill import BackfillState, checking_the_end, put_on_record
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.keys import key_columns
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import read_where
from airflow_dataloader.loader.staging import record_duplicates, record_null_keys, stage_rows
from airflow_dataloader.sources.model import CursorPlan

#: Chunks that a remark names.
_NAMED = 5


def load_chunks(load: ActiveLoad, state: BackfillState) -> None:
    """Load what is left of the plan, chunk by chunk, each in a commit of its own."""
    cursor = load.dialect.cursor(load.described, load.columns, load.config)
    begun = state.begun
    # Counted also where nothing is left to do.
    load.journal.record(rows_read=0, rows_inserted=0, rows_updated=0)
    for chunk in chunks_to_load(load, state, cursor):
        with load.journal.one_part():
            begun = _load(load, state, chunk, cursor, begun=begun) or begun
        receipt = load.journal.receipt
        told = partial(
            update_metadata, load.control, load.started.metadata_id, load.started.epoch, load.started.nonce,
            rows_read=receipt.rows_read,
            rows_inserted=receipt.rows_inserted,
            rows_updated=receipt.rows_updated,
        )  # fmt: skip
        load.keeper.patiently(told)
        load.reached(Moment.CHUNKED)


def chunks_to_load(load: ActiveLoad, state: BackfillState, cursor: CursorPlan) -> tuple[Chunk, ...]:
    """Return what is left, after the chunks that are done and have more rows at the source than were read.

    A row whose cursor was NULL or higher when they were read is in no chunk that is left, and below every
    window to come. Rows that they have no more are deleted, or come with another chunk or window. Of how many
    were read nothing is known where a commit was found in the table's history.
    """
    done = state.plan.chunks[: len(state.plan.chunks) - len(state.left)]
    if state.finished or not done:
        return state.left
    with load.journal.during(Phase.PLAN):
        rows = _rows_now(load, state, done, cursor)
    both = zip(done, rows, strict=True)
    grown = [chunk for chunk, now in both if chunk.rows_read is None or now > chunk.rows_read]
    if done[-1].null_cursor and done[-1] not in grown and (grown or _has_been_passed(done)):
        # Among rows of one key the one without a cursor counts as the newest: it comes last again.
        grown.append(done[-1])
    if grown:
        which = listed([chunk.number for chunk in grown], _NAMED)
        load.journal.remark(f"Rows came to chunks that were done, and these were read again: {which}.")
    return (*grown, *state.left)


def _has_been_passed(done: Sequence[Chunk]) -> bool:
    """Return whether a chunk was read again after the last one, by a load that did not come to that again."""
    versions = [chunk.target_version or 0 for chunk in done]
    return max(versions) > versions[-1]


def _rows_now(load: ActiveLoad, state: BackfillState, done: Sequence[Chunk], cursor: CursorPlan) -> list[int]:
    """Have the source count the rows of the first chunks in the load's snapshot."""
    ends = [chunk.high for chunk in done if not chunk.null_cursor]
    rows: list[int] = []
    if ends and state.plan.high is not None:
        rows += load.dialect.chunk_rows(load.session.query, load.relation, cursor, ends, state.plan.high)
    for chunk in done[len(ends) :]:
        ((found,),) = load.session.query(
            load.dialect.count_sql(load.relation, predicate(load, state, chunk, cursor))
        )
        rows.append(int(found))
    return rows


def _load(load: ActiveLoad, state: BackfillState, chunk: Chunk, cursor: CursorPlan, *, begun: bool) -> bool:
    """Load one chunk; return whether that took a commit. ``begun``: the table holds rows of the plan."""
    plan = read_where(load, predicate(load, state, chunk, cursor))
    if load.journal.receipt.source_rows == 0 and not state.is_last(chunk):
        put_on_record(load, chunk, rows_read=0, rows_published=0, version=None)
        return False
    dedup = Deduplication(keys=key_columns(load), cursor=cursor.column.name)
    with stage_rows(load, plan, dedup) as stage:
        record_null_keys(load, stage, dedup)
        written = _write(load, state, chunk, stage, dedup, begun=begun)
        ends = state.facts(chunk).final
        with checking_the_end(load, state) if ends else nullcontext():
            record_duplicates(load, stage, dedup, written.rows_in)
    published = written.rows_inserted + written.rows_updated
    put_on_record(load, chunk, rows_read=stage.rows, rows_published=published, version=written.version)
    return True


def predicate(load: ActiveLoad, state: BackfillState, chunk: Chunk, cursor: CursorPlan) -> str:
    """Return the chunk's rows in the source's SQL."""
    if state.plan.high is not None and not chunk.null_cursor:
        return load.dialect.chunk_predicate(cursor, chunk.low, chunk.high, state.plan.high)
    policy = load.config.null_cursor_policy
    none = NullCursorPolicy.EXCLUDE if policy is NullCursorPolicy.FAIL else policy
    return load.dialect.window_predicate(cursor, None, None, null_policy=none)


def _write(
    load: ActiveLoad,
    state: BackfillState,
    chunk: Chunk,
    stage: Stage,
    dedup: Deduplication,
    *,
    begun: bool,
) -> Written:
    table = state.table

    def write(commit: Commit) -> Written:
        if not begun and not state.staged:
            return replace_table(load, stage, commit, dedup)
        if not begun:
            return load.engine.overwrite(table, stage, commit, dedup)
        if stage.rows == 0:
            return load.engine.append(table, stage, commit)
        return load.engine.merge(table, stage, commit, dedup)

    if not state.staged:
        return publish(load, state.facts(chunk), write, step=chunk.number)
    with load.journal.during(Phase.STAGE):
        load.keeper.check()
        return write(load.commit(chunk.number, state.facts(chunk)))
