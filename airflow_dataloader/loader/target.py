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
from airflow_dataloader.loader.engines.protocol import HistoryEntry, Target
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.leftovers import clear_up
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.patience import patiently


def take_target(job: Job) -> None:
    """Inspect the target; fence and repair it if an earlier attempt may have written to it.

    Leaves ``job.target`` as it stands afterwards. Raises TargetAhead if the target has seen a later epoch
    than the control database ever gave out.
    """
    unsettled, own = job.started.unsettled, _own(job)
    with job.journal.during(Phase.FENCE):
        job.target = _inspect(job, seen=job.started.epoch - 1)
        if not unsettled:
            return
        for attempt in unsettled:
            if attempt not in own:
                job.keeper.check()
                # Refused where that row's own later attempt holds the target: the same end is reached.
                with suppress(Fenced):
                    _fence(job, _closing(job, attempt))
        job.keeper.check()
        version = _fence(job, job.commit(FENCE_STEP, Facts(made=job.target is None)))
        job.reached(Moment.FENCED)
        job.target = _inspect(job, seen=job.started.epoch)
        for attempt in own:
            _repair(job, attempt)
        for attempt in unsettled:
            clear_up(job, attempt)
        # Only now: a receipt that names the fence tells later loads that nothing is left to adopt.
        job.journal.note(fence_version=version)


def _fence(job: Job, commit: Commit) -> int:
    return job.engine.fence(job.config.target, job.columns, commit, cluster_by=job.cluster_by)


def _own(job: Job) -> list[Attempt]:
    """Return the row's own unsettled attempts, oldest first; the others' rows had the same target then."""
    return [attempt for attempt in job.started.unsettled if attempt.config_id == job.started.config_id]


def _closing(job: Job, attempt: Attempt) -> Commit:
    """Return the last commit that the epoch of another row's attempt can have, the same whoever makes it."""
    return Commit(
        app_id=app_id(job.started.installation, attempt.config_id),
        epoch=attempt.epoch,
        step=CLOSING_STEP,
        metadata_id=attempt.metadata_id,
        facts=Facts(closed_by=job.started.metadata_id),
    )


def _inspect(job: Job, *, seen: int) -> Target | None:
    """Look at the target, and refuse one that holds a later epoch than ``seen``.

    Before this load has written, its own epoch is a later one, too: a restored control database gives epochs
    out again, and Delta would skip this load's write for the one that it already has.
    """
    oldest = min((attempt.epoch for attempt in _own(job)), default=job.started.epoch)
    target = job.engine.inspect(job.config.target, job.app_id, back_to=oldest)
    latest = max((entry.commit.epoch for entry in target.commits), default=0) if target else 0
    if latest > seen:
        # A loader that was overtaken sees the same; for it the row is lost, and that is what it must say.
        job.keeper.renew_now()
        raise TargetAhead(
            f"Target {job.config.target} holds epoch {latest}, and the control database gives out "
            f"{job.started.epoch} only now: it was restored from a backup that is older than the target.",
            field="load_epoch",
            fix=f"see that no other control database loads this target, run `dataloader db advance-epoch "
            f"{job.started.config_id} {latest}`, and load again",
        )
    return target


def _repair(job: Job, attempt: Attempt) -> None:
    """Adopt what the attempt committed, if it did; the load then goes on from the attempt's watermark.

    Called oldest attempt first, so that each finds the watermark that it began with.
    """
    entries = _commits_of(job, attempt)
    if not entries:
        return
    entry = entries[0]
    # A scan for deleted rows tells of a watermark where it has set that back.
    telling = (one.commit.facts for one in entries if one.commit.brings_rows or one.commit.facts.window)
    facts = next(telling, Facts())
    window = facts.window or Bounds()
    # A window without a lower end holds everything up to its bound, wherever the attempt would have begun.
    begun_alike = window.low in (None, attempt.low)
    same = facts.content_hash == job.config.content_hash and begun_alike
    done = [job.engine.outcome(one) for one in entries]
    load_full_done = _has_done_load_full(job, entries)
    call = partial(
        adopt,
        job.control,
        job.started,
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
    adopted = patiently(call, until=job.keeper.deadline)
    job.started = adopted.started
    job.journal.note(adopted=attempt.metadata_id)
    _say(job, attempt, entry, moved=adopted.moved, load_full_done=load_full_done)


def _say(job: Job, attempt: Attempt, entry: HistoryEntry, *, moved: bool, load_full_done: bool) -> None:
    """Say what the attempt had done and was adopted of it, and what it had to say itself."""
    job.journal.remark(
        f"Load {attempt.metadata_id} had committed version {entry.table_version} without settling; "
        + ("adopted with its watermark." if moved else "recorded, the watermark stays.")
    )
    if load_full_done:
        job.journal.remark("It had replaced the table as load_full asked; that is done.")
    # What it tells of is done: this load has no reason of its own to say it.
    for note in entry.commit.facts.notes:
        job.journal.remark(note)


def _has_done_load_full(job: Job, entries: list[HistoryEntry]) -> bool:
    """Return whether the table was replaced as ``load_full`` asks of this load, and older days stay since.

    By the same source, key and days: with whatever else was edited, the days that have passed would be lost.
    Where all is read anew, to do so again loses nothing, and the source may be another by now.
    """
    config = job.config
    asks = config.load_full and config.keeps_older_days
    done = (one.commit.facts for one in entries if one.commit.facts.load_full)
    alike = (config.strategy, config.watermark_hash, column_name(config.days_column or "").casefold())
    return asks and any((facts.strategy, facts.watermark_hash, facts.day) == alike for facts in done)


def _commits_of(job: Job, attempt: Attempt) -> list[HistoryEntry]:
    """Return the attempt's publishing commits, newest first; its own fence published nothing.

    Only the last of a backfill's chunks names a watermark: one that is followed by others settles nothing.
    Its number and epoch may be those of another load, too, which a copy of the control database has given
    out. A commit that names no loader is one of a version that did not write it down.
    """
    who = (attempt.metadata_id, attempt.epoch)
    loaders = {None, loader_mark(attempt.nonce)}
    published = job.target.published if job.target else ()
    found = [entry for entry in published if (entry.commit.metadata_id, entry.commit.epoch) == who]
    return [entry for entry in found if entry.commit.facts.loader in loaders]
