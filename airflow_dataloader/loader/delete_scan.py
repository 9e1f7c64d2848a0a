"""Looks for rows that the source no longer has, after a load: all its keys are read, and compared.

In the snapshot of the load, where there is one: afterwards the target holds no key that the source does not
have. Keys that it lacks are counted, and brought by no scan.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_dataloader.core.commit import SCAN_STEP
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.strategy import IN_PIECES, NEEDS_CURSOR, DeletePolicy, NullCursorPolicy
from airflow_dataloader.exceptions import EmptySource, EngineFailed, ShrinkRefused
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.boundary import keep_boundary
from airflow_dataloader.loader.empty_guard import must_keep_rows
from airflow_dataloader.loader.engines.protocol import Deduplication, KeyComparison, Stage, Written
from airflow_dataloader.loader.keys import key_columns
from airflow_dataloader.loader.publish import publish
from airflow_dataloader.loader.reading import read_where
from airflow_dataloader.loader.sessions.protocol import SnapshotKind
from airflow_dataloader.loader.shrink_guard import exceeds, lost_percent
from airflow_dataloader.loader.staging import stage_rows
from airflow_dataloader.loader.strategies.outcome import Outcome

#: Where the row has no guard of its own: a key that was renamed at the source would delete every row.
_GUARD_PERCENT = 15


def scan_for_deleted(load: ActiveLoad, outcome: Outcome) -> Outcome:
    """Delete, or mark, the rows at the target whose key the source does not have.

    ``outcome``: what the load itself returned. It comes back with a lower watermark where rows went although
    the source has gone back behind it: it may be a copy that lags, and its rows must be found by a window
    when they return. What the load has published stays published, whatever becomes of this. Raises
    EmptySource, ShrinkRefused, and EngineFailed where other keys arrive than there are.
    """
    if load.starts_over and load.config.strategy not in IN_PIECES:
        load.journal.remark("The table was read anew; there are no deleted rows to look for.")
        return outcome
    marks = load.config.delete_policy is DeletePolicy.SOFT
    facts = _facts(load, outcome)
    with load.journal.aside():
        found, keys, written = _scan(load, facts, marks=marks)
    # Rows without a cursor may be there from a time when they had one: at least so many are missing.
    missing = max(0, found.missing - keys.null_cursors)
    load.journal.record(
        delete_scan={
            "keys": keys.rows,
            "null_keys": keys.null_keys,
            "held": found.held,
            "gone": found.gone,
            "keyless": found.keyless,
            "returned": found.returned,
            "missing": missing,
        }
    )
    _remark_on(load, found, missing)
    if written is None:
        return outcome
    _count(load, written)
    return outcome if facts.window is None else _lower_watermark(load, outcome, facts.window)


def _remark_on(load: ActiveLoad, found: KeyComparison, missing: int) -> None:
    """Add a remark on rows that the scan has left as they were although they may be wrong."""
    if found.keyless:
        load.journal.remark(f"{found.keyless} rows with NULL in the key were left alone.")
    if found.returned:
        # Older days would go with the table that load_full replaces.
        keeps = load.config.keeps_older_days
        anew = (
            "rolling_days that reach back to them bring" if keeps else "load_full = 'true' on the row brings"
        )
        load.journal.remark(
            f"{found.returned} marked rows are at the source again and no longer marked, with the values "
            f"that they had. If those are others by now, {anew} them."
        )
    if missing and _should_have_all(load):
        load.journal.remark(
            f"{missing} keys of the source are not at the target, and `dataloader verify` names them. Unless "
            "they were left out on purpose, load_full = 'true' on the row brings them."
        )


def _facts(load: ActiveLoad, outcome: Outcome) -> Facts:
    """Return what a commit of the scan says: how far the row has still come when it has taken rows away.

    The source is asked again whatever the load has read: one that found nothing changed has no window.
    """
    facts = Facts(delete_scan=True, watermark_void=outcome.watermark_void)
    low = load.journal.receipt.low
    reached = outcome.watermark or low
    if reached is None or load.config.strategy not in NEEDS_CURSOR:
        return facts
    with load.journal.during(Phase.PLAN):
        cursor = load.dialect.cursor(load.described, load.columns, load.config)
        frozen = load.dialect.freeze(load.session.query, load.relation, cursor, reached)
    if frozen.newest is None:
        # No cursor is left to go back to.
        return replace(facts, watermark_void=True)
    if not frozen.behind:
        return facts
    return replace(facts, window=Bounds(low=low, high=frozen.newest, watermark=frozen.newest))


def _lower_watermark(load: ActiveLoad, outcome: Outcome, window: Bounds) -> Outcome:
    load.journal.remark(
        f"Rows were deleted or marked at a source that has gone back; the watermark goes back to "
        f"{window.watermark}, so that they are read again if they return."
    )
    return replace(outcome, watermark=window.watermark)


def _scan(load: ActiveLoad, facts: Facts, *, marks: bool) -> tuple[KeyComparison, Stage, Written | None]:
    names = key_columns(load)
    columns = tuple(column for column in load.columns if column.name in names)
    cursor = _left_out_by(load)
    beside = tuple(column for column in load.columns if column.name == cursor and cursor not in names)
    plan = read_where(load, None, columns + beside)
    # A marked row may have come back with another day, and that one be in the window.
    repeated = load.config.keeps_older_days
    with stage_rows(load, plan, Deduplication(keys=names, cursor=cursor)) as stage:
        keys = replace(stage, columns=columns)
        _refuse_other_keys(load, keys)
        with load.journal.during(Phase.PLAN):
            found = load.engine.compare_keys(load.config.target, keys, mark=marks, repeated=repeated)
        _refuse_no_keys(load, keys, found, marks=marks)
        _refuse_too_many(load, found)
        if not (found.gone or found.returned or (found.marked and not marks)):
            return found, keys, None
        written = publish(
            load,
            facts,
            lambda commit: load.engine.delete_gone(
                load.config.target, keys, commit, mark=marks, repeated=repeated
            ),
            step=SCAN_STEP,
        )
    return found, keys, written


def _left_out_by(load: ActiveLoad) -> str | None:
    """Return the target's name of the column without which a row is not loaded; None: each row is."""
    config = load.config
    if config.strategy not in NEEDS_CURSOR or config.null_cursor_policy is not NullCursorPolicy.EXCLUDE:
        return None
    name = config.incremental_column or ""
    return load.dialect.find_column(load.columns, name, field="incremental_column").name


def _should_have_all(load: ActiveLoad) -> bool:
    """Return whether the target should hold all keys that this scan saw.

    A load by days has only those of its windows. What is newer than a backfill's plan comes with the next
    load, where the backfill went on.
    """
    config = load.config
    return config.days_column is None and config.strategy not in IN_PIECES and _is_one_snapshot(load)


def _is_one_snapshot(load: ActiveLoad) -> bool:
    """Return whether load and scan see one state of the source, so that no row came between them."""
    return load.journal.receipt.snapshot == SnapshotKind.EXPORTED


def _refuse_other_keys(load: ActiveLoad, keys: Stage) -> None:
    """Raise EngineFailed if other keys arrived than the source counted, also where the row reads a query.

    A load may go on then: what it missed comes with a later window. What is deleted here never does.
    """
    counted = load.journal.receipt.source_rows
    if _is_one_snapshot(load) and counted != keys.rows:
        raise EngineFailed(
            f"The source of {load.config.label} counts {counted} keys, and {keys.rows} arrived from the same "
            "snapshot; nothing was deleted.",
            field="query",
            fix="have the query or view select the same rows whoever asks, without now() or LIMIT",
        )


def _refuse_no_keys(load: ActiveLoad, keys: Stage, found: KeyComparison, *, marks: bool) -> None:
    # Rows that are marked already have nothing left to lose, unless they are to be deleted now.
    lost = found.gone or (found.marked and not marks)
    if keys.rows == keys.null_keys and lost and must_keep_rows(load):
        raise EmptySource(
            f"The source of {load.config.label} has no key at all, and its target is not empty; nothing was "
            "deleted.",
            field="empty_source_policy",
            fix="fill the source, or set empty_source_policy to allow if the target shall be emptied",
        )


def _refuse_too_many(load: ActiveLoad, found: KeyComparison) -> None:
    own = load.config.shrink_guard_percent
    percent = _GUARD_PERCENT if own is None else own
    if exceeds(percent, found.gone, found.held):
        lost = lost_percent(found.gone, found.held)
        raise ShrinkRefused(
            f"{load.config.label}: {found.gone} of the {found.held} rows at the target, {lost} %, are not at "
            f"the source; shrink_guard_percent is {percent}{' where none is set' if own is None else ''}. "
            "Nothing was deleted; what was loaded before that stays.",
            field="shrink_guard_percent",
            fix="see that the source has all its rows and primary_key_cols still names their key; if so, set "
            f"shrink_guard_percent to {lost} or more, for one scan or for good",
        )


def _count(load: ActiveLoad, written: Written) -> None:
    receipt = load.journal.receipt
    load.journal.record(
        rows_updated=(receipt.rows_updated or 0) + written.rows_updated,
        rows_deleted=(receipt.rows_deleted or 0) + written.rows_deleted,
    )
    keep_boundary(load, written.version)
