"""Takes the target before anything is read: it must be ours to write, and hold nothing unrecorded.

A loader that died may have left a finished commit, or a write that still runs on a server. The fence stops
the second; the repair finds the first.
"""

from __future__ import annotations

from airflow_dataloader.control.lease import Attempt
from airflow_dataloader.control.settle import adopt
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.exceptions import TargetAhead
from airflow_dataloader.loader.engines.protocol import HistoryEntry
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.observer import Moment

#: The fence is the first write of an epoch; publishing follows.
FENCE_STEP = 0


def take_target(job: Job, control: ControlEngine) -> None:
    """Inspect the target; fence and repair it if an earlier attempt may have written to it.

    Leaves ``job.target`` as it stands afterwards. Raises TargetAhead if the target has seen a later epoch
    than the control database ever gave out.
    """
    with job.journal.during(Phase.FENCE):
        job.target = job.engine.inspect(job.config.target, job.app_id)
        _refuse_later_epochs(job)
        if not job.started.unsettled:
            return
        version = job.engine.fence(job.config.target, job.columns, job.commit(FENCE_STEP, {}))
        job.journal.note(fence_version=version)
        job.reached(Moment.FENCED)
        job.target = job.engine.inspect(job.config.target, job.app_id)
        _refuse_later_epochs(job)
        _repair(job, control)


def _refuse_later_epochs(job: Job) -> None:
    commits = job.target.commits if job.target else ()
    latest = max((entry.commit.epoch for entry in commits), default=0)
    if latest <= job.started.epoch:
        return
    # A loader that was overtaken sees the same; for it the row is lost, and that is what it must say.
    job.keeper.renew_now()
    raise TargetAhead(
        f"Target {job.config.target} holds epoch {latest}, and the control database has only given out "
        f"{job.started.epoch}: it was restored from a backup that is older than the target.",
        field="load_epoch",
        fix=f"see that no other control database loads this target, then run "
        f"`dataloader db advance-epoch {job.started.config_id} {latest}` and load again",
    )


def _repair(job: Job, control: ControlEngine) -> None:
    """Adopt what unrecorded attempts committed, oldest first, so that each finds the window it began with."""
    for attempt in sorted(job.started.unsettled, key=lambda attempt: attempt.epoch):
        entry = _last_commit_of(job, attempt)
        if entry is None:
            continue
        adopted = adopt(control, job.started, attempt, entry.table_version, _record(job, attempt, entry))
        job.started = adopted.started
        job.journal.note(adopted=attempt.metadata_id)
        job.journal.remark(_sentence(attempt, entry, adopted))


def _last_commit_of(job: Job, attempt: Attempt) -> HistoryEntry | None:
    """Return the attempt's newest publishing commit; its own fence published nothing."""
    commits = job.target.commits if job.target else ()
    return next(
        (
            entry
            for entry in commits
            if entry.commit.metadata_id == attempt.metadata_id and entry.commit.step != FENCE_STEP
        ),
        None,
    )
