"""A backfill under way: the plan that is on record, and what of it the tables' own histories hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import dropwhile

from airflow_dataloader.control import backfill as plans
from airflow_dataloader.control.backfill import Backfill, Chunk
from airflow_dataloader.core.chunk_size import MOST_CHUNKS, fitting, refuse_too_many
from airflow_dataloader.core.commit import FENCE_STEP
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.schema_change import can_take
from airflow_dataloader.core.strategy import NullCursorPolicy
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.completeness import refuse_moving
from airflow_dataloader.loader.empty_guard import refuse_empty_source
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.loader.schema import keep_columns
from airflow_dataloader.loader.stage_names import backfill_stage_name
from airflow_dataloader.loader.window import ANEW, freeze_window, refuse_null_cursors
from airflow_dataloader.sources.model import CursorPlan

DIRECT, STAGED = "direct", "staged"


@dataclass(frozen=True, kw_only=True)
class BackfillState:
    """A plan, the table that its chunks go to, and how far it has come."""

    plan: Backfill
    #: Where chunks go: the target itself, or the plan's own staging table.
    table: TargetName
    #: Chunks that are to be loaded yet, in order.
    left: tuple[Chunk, ...]
    #: Whether the table holds a chunk already.
    begun: bool = False
    #: Whether the one commit that ends it all is at the target.
    finished: bool = False

    @property
    def staged(self) -> bool:
        """Whether the target keeps its old version until the end."""
        return self.plan.mode == STAGED

    def facts(self, chunk: Chunk | None) -> Facts:
        """Return what travels with a chunk's commit, or with the last one that replaces the target.

        Only the commit that completes the target names a watermark, so that no other is taken for the end.
        """
        plan = self.plan
        final = chunk is None or (not self.staged and self.is_last(chunk))
        return Facts(
            backfill=plan.id,
            planned=_planned(plan),
            chunk=None if chunk is None else chunk.number,
            final=final,
            window=Bounds(high=plan.high, watermark=plan.watermark) if final else None,
        )

    def is_last(self, chunk: Chunk) -> bool:
        """Return whether no chunk comes after this one."""
        return chunk.number == len(self.plan.chunks)


def take_up(load: ActiveLoad) -> BackfillState:
    """Return the row's plan as far as it has come; a new one where there is none that still holds."""
    plan = load.keeper.patiently(partial(plans.current, load.control, load.started.config_id))
    if plan is not None:
        with load.journal.during(Phase.FENCE):
            state = _resume_plan(load, plan)
        if state is not None and not state.finished:
            if state.staged:
                # Before a chunk is read: what an empty source has of it must not be on record, either.
                refuse_empty_source(load)
            _refuse_late_null_cursors(load)
            state = _lower_watermark(load, state)
        if state is not None:
            if state.begun and not state.staged:
                keep_columns(load)
            return state
        load.keeper.check()
        load.engine.drop_stage(backfill_stage_name(load.config.target, load.started.installation, plan.id))
    return _begin_plan(load)


def _begin_plan(load: ActiveLoad) -> BackfillState:
    """Ask the source for the plan's bounds, in the load's snapshot, and freeze them."""
    mode = DIRECT if load.target is None or not load.target.filled else STAGED
    if mode == STAGED:
        refuse_empty_source(load)
    window = freeze_window(load, None)
    refuse_moving(load, window.newest_rows)
    low, chunks = None, []
    if window.high is not None:
        with load.journal.during(Phase.PLAN):
            low, points = _cuts(load, window.cursor, window.high)
        ends = zip((None, *points), (*points, None), strict=True)
        chunks = [Chunk(number=number, low=a, high=b) for number, (a, b) in enumerate(ends, 1)]
    if not chunks or load.config.null_cursor_policy is NullCursorPolicy.INCLUDE:
        # Last, since among rows of one key the one without a cursor counts as the newest.
        chunks.append(Chunk(number=len(chunks) + 1, null_cursor=True))
    begin = partial(
        plans.begin, load.control, load.started, mode=mode, low=low, high=window.high,
        watermark=window.watermark, chunks=chunks,
    )  # fmt: skip
    plan = load.keeper.patiently(begin)
    state = BackfillState(plan=plan, table=_table(load, plan), left=plan.chunks)
    if state.staged:
        # A lost plan's may be there: Delta would skip a chunk of this one for what it has of that one. But
        # not that of whoever has taken the row, and this plan, since it began.
        load.keeper.check()
        load.engine.drop_stage(state.table)
    return state


def _cuts(load: ActiveLoad, cursor: CursorPlan, high: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the smallest cursor, and where the second and later chunks begin."""
    size = fitting(load.config.chunk_size, cursor.type, cursor.column.source_name)
    # The rows without a cursor may be one chunk more.
    most = MOST_CHUNKS - 1
    found = load.dialect.cuts(load.session.query, load.relation, cursor, high, size=size, most=most)
    refuse_too_many(len(found.points) + 2)
    return found.low, found.points


def _resume_plan(load: ActiveLoad, plan: Backfill) -> BackfillState | None:
    """Return how far the plan has come, or None where it does not hold any more."""
    if plan.content_hash != load.config.content_hash:
        load.journal.remark("The row was edited since its backfill began; the backfill begins anew.")
        return None
    if load.config.load_full and not plan.load_full:
        load.journal.remark("load_full was set since the backfill began; the backfill begins anew.")
        return None
    state = BackfillState(plan=plan, table=_table(load, plan), left=plan.chunks)
    load.target = load.engine.inspect(load.config.target, load.app_id, back_to=plan.epoch)
    ended = next((entry for entry in commits_of(load.target, plan) if entry.commit.facts.final), None)
    if ended and load.target is not None and load.target.continuous and _is_newest(load.target, plan):
        return _finished(load, load.target, ended, state)
    table = load.target
    if state.staged:
        waiting = _inspect_or_drop_stage(load, state)
        if waiting is not None and _is_from_later(load, waiting):
            load.journal.remark(
                "The backfill's staging table has seen later loads than the control database, which was "
                "restored from a backup; the backfill begins anew."
            )
            return None
        # A load that was overtaken while it dropped may have dropped the live one's table; a fence now would
        # give that one an empty table to go on with.
        load.keeper.check()
        # Each time: whoever loaded a chunk may have been killed, and the target's fence is not this table's.
        load.engine.fence(state.table, load.columns, load.commit(FENCE_STEP, Facts()))
        table = load.engine.inspect(state.table, load.app_id, back_to=plan.epoch)
    done = _chunks_of(table, plan)
    replaced = bool(done) and not _is_newest(table, plan)
    if ended or replaced or not _is_as_left(load, state, table, done):
        load.journal.remark("The target is not as its unfinished backfill left it; the backfill begins anew.")
        return None
    _mend(load, plan, done)
    left = tuple(dropwhile(lambda chunk: chunk.number in done or _needs_none(chunk), plan.chunks))
    if left:
        load.journal.remark(f"Went on with chunk {left[0].number} of {len(plan.chunks)}.")
    _remark_on_another_relation(load, done.values())
    return replace(state, left=left, begun=bool(done))


def _finished(load: ActiveLoad, target: Target, ended: HistoryEntry, state: BackfillState) -> BackfillState:
    """Return the state of a plan whose last commit is at the target, with what that tells of a watermark.

    A scan after it may have taken rows away, and set that back.
    """
    by = ended.commit.metadata_id
    load.journal.record(target_version=ended.table_version, committed_by=by)
    load.journal.remark(f"The backfill's last commit was there already, as load {by} had made it.")
    windows = (entry.commit.facts.window for entry in target.published)
    window = next(window for window in windows if window is not None)
    plan = replace(state.plan, watermark=window.watermark)
    return replace(state, plan=plan, left=(), begun=True, finished=True)


def _refuse_late_null_cursors(load: ActiveLoad) -> None:
    """Raise what refuses rows whose cursor is NULL: no chunk has those that came since the plan was made."""
    with load.journal.during(Phase.PLAN):
        refuse_null_cursors(load, load.dialect.cursor(load.described, load.columns, load.config))


def _lower_watermark(load: ActiveLoad, state: BackfillState) -> BackfillState | None:
    """Lower the plan's watermark to a source that has gone back behind it; None where no row has a cursor.

    It may be a copy that lags behind the one that the plan was made at: what a chunk lacks now must be in a
    window later. On record before a chunk is read, since yet another load may read the others.
    """
    plan = state.plan
    if plan.watermark is None or not state.left:
        return state
    with load.journal.during(Phase.PLAN):
        cursor = load.dialect.cursor(load.described, load.columns, load.config)
        frozen = load.dialect.freeze(load.session.query, load.relation, cursor, plan.watermark)
    if frozen.newest is None:
        load.journal.remark("No row has a cursor any more; the backfill begins anew.")
        return None
    if not frozen.behind:
        return state
    load.journal.remark(
        f"The newest {cursor.column.source_name!r} at the source is {frozen.newest}, and the backfill was "
        f"planned up to {plan.watermark}; it goes no further than the source, nor does the watermark."
    )
    load.keeper.patiently(partial(plans.lower_watermark, load.control, load.started, frozen.newest))
    return replace(state, plan=replace(plan, watermark=frozen.newest))


def _inspect_or_drop_stage(load: ActiveLoad, state: BackfillState) -> Target | None:
    """Return the plan's staging table, if it is there; drop a lost plan's of the same number."""
    table = load.engine.inspect(state.table, load.app_id, back_to=state.plan.epoch)
    if table is None or commits_of(table, state.plan):
        return table
    load.keeper.check()
    load.engine.drop_stage(state.table)
    return None


def _is_from_later(load: ActiveLoad, table: Target) -> bool:
    """Return whether the table has commits of an epoch that is only now given to this load.

    It would skip this load's own chunks for those.
    """
    return any(entry.commit.epoch >= load.started.epoch for entry in table.commits)


@contextmanager
def checking_the_end(load: ActiveLoad, state: BackfillState) -> Iterator[None]:
    """Let what is wrong with a plan's last commit end the plan, which a later load would take for done."""
    try:
        yield
    except EngineFailed:
        load.keeper.patiently(partial(plans.abandon, load.control, load.started))
        if state.staged:
            load.engine.drop_stage(state.table)
        raise


def refuse_incomplete(load: ActiveLoad, state: BackfillState, waiting: Target) -> None:
    """Raise EngineFailed where the plan's staging table lacks a chunk that is on record.

    A load that was overtaken long ago may have dropped the table under this one, and made it anew.
    """
    current = load.keeper.patiently(partial(plans.current, load.control, load.started.config_id))
    committed = _chunks_of(waiting, state.plan).keys()
    if current is None or not _on_record(current.chunks) <= committed:
        what = f"Staging table {state.table} is not as this load left it"
        raise EngineFailed(f"{what}; the next one begins the backfill anew.")


def _on_record(chunks: Iterable[Chunk]) -> set[int]:
    """Return the numbers of the chunks that took a commit, as far as the control database was told."""
    return {chunk.number for chunk in chunks if chunk.target_version is not None}


def _is_as_left(
    load: ActiveLoad, state: BackfillState, table: Target | None, done: Mapping[int, HistoryEntry]
) -> bool:
    """Return whether the table holds the chunks that are on record, nothing else, and can take more."""
    if not _on_record(state.plan.chunks) <= done.keys():
        return False
    if not done:
        return state.staged or table is None or not table.filled
    if table is None or not table.continuous or load.respelled(table) or _is_emptied(load, table, done):
        return False
    if state.staged:
        return dict(table.columns) == {column.name: column.type for column in load.columns}
    return can_take(table.columns, load.columns)


def _is_emptied(load: ActiveLoad, table: Target, done: Mapping[int, HistoryEntry]) -> bool:
    """Return whether nothing is left of the chunks' rows; a DELETE by a condition breaks no continuity."""
    return not table.filled and any(load.engine.outcome(entry).rows_inserted for entry in done.values())


def _remark_on_another_relation(load: ActiveLoad, done: Iterable[HistoryEntry]) -> None:
    """Add a remark where chunks that are not read again came from another table or view of the same name."""
    before = {entry.commit.facts.relation_identity for entry in done}
    if load.relation_identity is not None and before - {None, load.relation_identity}:
        load.journal.remark(
            "The source's table or view is another one of this name than when chunks were read before. What "
            f"it holds in those was not read. {ANEW}"
        )


def _mend(load: ActiveLoad, plan: Backfill, done: Mapping[int, HistoryEntry]) -> None:
    """Put on record what the table's history holds and the control database was not told."""
    for chunk in plan.chunks:
        if chunk.rows_published is None and chunk.number in done:
            entry = done[chunk.number]
            outcome = load.engine.outcome(entry)
            put_on_record(
                load,
                chunk,
                rows_read=None,
                rows_published=outcome.rows_inserted + outcome.rows_updated,
                version=entry.table_version,
            )


def put_on_record(
    load: ActiveLoad, chunk: Chunk, *, rows_read: int | None, rows_published: int, version: int | None
) -> None:
    """Write down that a chunk is done; raise Fenced where the row is not this load's any more."""
    told = partial(
        plans.record, load.control, load.started, chunk.number,
        rows_read=rows_read, rows_published=rows_published, target_version=version,
    )  # fmt: skip
    load.keeper.patiently(told)


def commits_of(table: Target | None, plan: Backfill) -> list[HistoryEntry]:
    """Return the plan's commits, newest first."""
    return [entry for entry in table.commits if _is_of(entry, plan)] if table else []


def _chunks_of(table: Target | None, plan: Backfill) -> dict[int, HistoryEntry]:
    """Return the plan's chunks that the table has commits of, by their number."""
    both = ((entry.commit.facts.chunk, entry) for entry in commits_of(table, plan))
    return {number: entry for number, entry in both if number is not None}


def _is_newest(table: Target | None, plan: Backfill) -> bool:
    """Return whether the plan was the last thing that the row's loads published to the table.

    Another of them, under another configuration, may have replaced all of it. A scan for deleted rows takes
    none away that the plan reads, where the row was as it is.
    """
    for entry in table.published if table else ():
        facts = entry.commit.facts
        if not (facts.delete_scan and facts.content_hash == plan.content_hash):
            return _is_of(entry, plan)
    return False


def _is_of(entry: HistoryEntry, plan: Backfill) -> bool:
    """Return whether the plan made the commit, and not one of a database that was lost."""
    facts = entry.commit.facts
    return (facts.backfill, facts.planned) == (plan.id, _planned(plan))


def _planned(plan: Backfill) -> str:
    return plan.created_at.isoformat()


def _needs_none(chunk: Chunk) -> bool:
    return chunk.rows_published == 0 and chunk.target_version is None


def _table(load: ActiveLoad, plan: Backfill) -> TargetName:
    if plan.mode == DIRECT:
        return load.config.target
    return backfill_stage_name(load.config.target, load.started.installation, plan.id)
