"""Takes the target before anything is read: it must be ours to write, and hold nothing unrecorded.

A loader that died may have left a finished commit, or a write that still runs on a server. The fence stops
the second; the repair finds the first.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from airflow_dataloader.control.lease import Attempt
from airflow_dataloader.control.settle import adopt
from airflow_dataloader.core.commit import CLOSING_STEP, FENCE_STEP, Commit, app_id, loader_mark
from airflow_dataloader.core.facts import Bounds, Facts
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.names import column_name
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.exceptions import Fenced, TargetAhead
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.loader.fenced_attempt import clean_up_attempt
from airflow_dataloader.loader.observer import Moment


def take_target(load: ActiveLoad) -> None:
    """Inspect the target; fence and repair it if an earlier attempt may have written to it.

    Leaves ``load.target`` as it stands afterwards. Raises TargetAhead if the target has seen a later epoch
    than the control database ever gave out.
    """
    uncertain, own = load.started.uncertain, _own(load)
    with load.journal.during(Phase.FENCE):
        load.target = _inspect(load, seen=load.started.epoch - 1)
        if not uncertain:
            return
        for attempt in uncertain:
            if attempt not in own:
                load.keeper.check()
                # Refused where that row's own later attempt holds the target: the same end is reached.
                with suppress(Fenced):
                    _fence(load, _closing(load, attempt))
        load.keeper.check()
        version = _fence(load, load.commit(FENCE_STEP, Facts(table_created=load.target is None)))
        load.reached(Moment.FENCED)
        load.target = _inspect(load, seen=load.started.epoch)
        for attempt in own:
            _repair(load, attempt)
        for attempt in uncertain:
            clean_up_attempt(load, attempt)
        # Only now: a receipt that names the fence tells later loads that nothing is left to adopt.
        load.journal.record(fence_version=version)


def _fence(load: ActiveLoad, commit: Commit) -> int:
    return load.engine.fence(load.config.target, load.columns, commit, cluster_by=load.cluster_by)


def _own(load: ActiveLoad) -> list[Attempt]:
    """Return the row's own uncertain attempts, oldest first; the others' rows had the same target then."""
    return [attempt for attempt in load.started.uncertain if attempt.config_id == load.started.config_id]


def _closing(load: ActiveLoad, attempt: Attempt) -> Commit:
    """Return the last commit that the epoch of another row's attempt can have, the same whoever makes it."""
    return Commit(
        app_id=app_id(load.started.installation, attempt.config_id),
        epoch=attempt.epoch,
        step=CLOSING_STEP,
        metadata_id=attempt.metadata_id,
        facts=Facts(closed_by=load.started.metadata_id),
    )


def _inspect(load: ActiveLoad, *, seen: int) -> Target | None:
    """Look at the target, and refuse one that holds a later epoch than ``seen``.

    Before this load has written, its own epoch is a later one, too: a restored control database gives epochs
    out again, and Delta would skip this load's write for the one that it already has.
    """
    oldest = min((attempt.epoch for attempt in _own(load)), default=load.started.epoch)
    target = load.engine.inspect(load.config.target, load.app_id, back_to=oldest)
    latest = max((entry.commit.epoch for entry in target.commits), default=0) if target else 0
    if latest > seen:
        # A loader that was overtaken sees the same; for it the row is lost, and that is what it must say.
        load.keeper.renew_now()
        raise TargetAhead(
            f"Target {load.config.target} holds epoch {latest}, and the control database gives out "
            f"{load.started.epoch} only now: it was restored from a backup that is older than the target.",
            field="load_epoch",
            fix=f"see that no other control database loads this target, run `dataloader db advance-epoch "
            f"{load.started.config_id} {latest}`, and load again",
        )
    return target


def _repair(load: ActiveLoad, attempt: Attempt) -> None:
    """Adopt what the attempt committed, if it did; the load then goes on from the attempt's watermark.

    Called oldest attempt first, so that each finds the watermark that it began with.
    """
    entries = _commits_of(load, attempt)
    if not entries:
        return
    entry = entries[0]
    # A scan for deleted rows tells of a watermark where it has set that back.
    telling = (one.commit.facts for one in entries if one.commit.brings_rows or one.commit.facts.window)
    facts = next(telling, Facts())
    window = facts.window or Bounds()
    # A window without a lower end holds everything up to its bound, wherever the attempt would have begun.
    begun_alike = window.low in (None, attempt.low)
    same = facts.content_hash == load.config.content_hash and begun_alike
    done = [load.engine.outcome(one) for one in entries]
    load_full_done = _has_done_load_full(load, entries)
    call = partial(
        adopt,
        load.control,
        load.started,
        attempt,
        found=Receipt(
            rows_inserted=sum(one.rows_inserted for one in done),
            rows_updated=sum(one.rows_updated for one in done),
            rows_deleted=sum(one.rows_deleted for one in done),
            target_version=entry.table_version,
            notes=entry.commit.facts.notes,
        ),
        watermark=window.watermark if same else None,
        load_full_done=load_full_done,
    )
    adopted = load.keeper.patiently(call)
    load.started = adopted.started
    load.journal.record(adopted=attempt.metadata_id)
    _say(load, attempt, entry, moved=adopted.moved, load_full_done=load_full_done)


def _say(
    load: ActiveLoad, attempt: Attempt, entry: HistoryEntry, *, moved: bool, load_full_done: bool
) -> None:
    """Add remarks on what the attempt had done and was adopted of it, and those that it had made itself."""
    load.journal.remark(
        f"Load {attempt.metadata_id} had committed version {entry.table_version} without settling; "
        + ("adopted with its watermark." if moved else "recorded, the watermark stays.")
    )
    if load_full_done:
        load.journal.remark("It had replaced the table as load_full asked; that is done.")
    # What it tells of is done: this load has no reason of its own to say it.
    for note in entry.commit.facts.notes:
        load.journal.remark(note)


def _has_done_load_full(load: ActiveLoad, entries: list[HistoryEntry]) -> bool:
    """Return whether the table was replaced as ``load_full`` asks of this load, and older days stay since.

    By the same source, key and days: with whatever else was edited, the days that have passed would be lost.
    Where all is read anew, to do so again loses nothing, and the source may be another by now.
    """
    config = load.config
    asks = config.load_full and config.keeps_older_days
    done = (one.commit.facts for one in entries if one.commit.facts.load_full)
    alike = (config.strategy, config.watermark_hash, column_name(config.days_column or "").casefold())
    return asks and any((facts.strategy, facts.watermark_hash, facts.day_column) == alike for facts in done)


def _commits_of(load: ActiveLoad, attempt: Attempt) -> list[HistoryEntry]:
    """Return the attempt's publishing commits, newest first; its own fence published nothing.

    Only the last of a backfill's chunks names a watermark: one that is followed by others settles nothing.
    Its number and epoch may be those of another load, too, which a copy of the control database has given
    out.
    """
    who = (attempt.metadata_id, attempt.epoch)
    loader = loader_mark(attempt.nonce)
    published = load.target.published if load.target else ()
    found = [entry for entry in published if (entry.commit.metadata_id, entry.commit.epoch) == who]
    return [entry for entry in found if entry.commit.facts.loader == loader]
