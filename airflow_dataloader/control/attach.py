"""Which load a try of an Airflow task answers for: the one it was mapped to, or one that it claims anew.

A load that lives is attached to again, whoever ended the try before. One that has ended is reported; only a
person who clears the task asks for another. Such a load is claimed under a run id of its own, so that the
run's claim goes on giving the same answer, and the task's next try finds it by that run id.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Engine, text

from airflow_dataloader.control.claim import claim
from airflow_dataloader.control.load_view import claim_time
from airflow_dataloader.control.tracking import update_run_tracking
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.control.tries import try_number
from airflow_dataloader.control.unclaimed import why_unclaimed
from airflow_dataloader.core.status import OVER, LoadStatus
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.core.submission import submit_token
from airflow_dataloader.defaults import MAX_CONCURRENT_LOADS
from airflow_dataloader.exceptions import Fenced

#: ``airflow_run`` holds 255 characters; the suffix needs some of them.
_LONGEST_RUN = 220

#: After a restore from a backup another load, of another row or run, may have the id that the task knows.
_NEWEST = text("""
SELECT h.id, h.epoch, h.load_status, h.log_message, h.reaping_until IS NOT NULL AS being_reaped,
    h.databricks_run, h.workspace_host, h.airflow_run, h.airflow_task, h.submit_token IS NOT NULL AS answered,
    extract(epoch FROM h.load_queued_time) AS queued,
    (h.config_snapshot ->> 'max_runtime_minutes')::integer AS max_runtime_minutes,
    (SELECT id FROM control.installation) AS installation
FROM control.historical_metadata h
WHERE h.config_id = :config_id AND (
    (h.id = :metadata_id AND h.airflow_run = :airflow_run)
    OR (h.id > :metadata_id AND h.airflow_base_url IS NOT DISTINCT FROM :airflow_base_url
        AND starts_with(h.airflow_run, :prefix)))
ORDER BY h.id DESC LIMIT 1""")


@dataclass(frozen=True, kw_only=True)
class MappedLoad:
    """The load that the run's claim mapped a task to."""

    metadata_id: int
    epoch: int
    config_id: int


@dataclass(frozen=True, kw_only=True)
class Try:
    """A try of a mapped task."""

    airflow_run: str
    map_index: int
    number: int
    #: ``historical_metadata.airflow_task`` while this try answers for the load.
    airflow_task: str
    airflow_base_url: str | None
    #: The first try since a person cleared the task; 1: nobody has.
    first: int = 1

    @property
    def prefix(self) -> str:
        """What the run ids begin with under which this task claims."""
        run = self.airflow_run
        if len(run) > _LONGEST_RUN:
            digest = hashlib.sha256(run.encode()).hexdigest()[:16]
            run = f"{run[: _LONGEST_RUN - 17]}~{digest}"
        return f"{run}#load[{self.map_index}]."

    @property
    def own_run(self) -> str:
        """The run id under which the tries since the clear claim, whichever of them comes to it."""
        return f"{self.prefix}{self.first}"


@dataclass(frozen=True, kw_only=True)
class Attached:
    """The load that a try answers for, as it was a moment ago."""

    metadata_id: int
    epoch: int
    #: :func:`~airflow_dataloader.control.load_view.claim_time`.
    claimed_at: str
    installation: str
    status: LoadStatus
    message: str | None
    max_runtime_minutes: int
    #: Its run, where an earlier try or its loader has put one on record, and whose workspace that is.
    databricks_run: str | None = None
    workspace_host: str | None = None
    #: The run that claimed it, and the number of the last try of its task that answered for it; 0: none has.
    airflow_run: str | None = None
    answered: int = 0
    #: A reap is ending it: nothing is to be submitted any more.
    being_reaped: bool = False

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in OVER

    @property
    def submitted(self) -> bool:
        """Whether a run does it already, or a loader of one that nobody recorded."""
        return self.databricks_run is not None or self.status is LoadStatus.IN_PROGRESS

    @property
    def token(self) -> str:
        """The load's idempotency token."""
        return submit_token(self.installation, self.metadata_id, self.epoch, self.claimed_at)


def attach(
    engine: Engine, mapped: MappedLoad, task: Try, *, max_concurrent: int = MAX_CONCURRENT_LOADS
) -> Attached:
    """Return the load that ``task`` answers for; if it lives, this try and its token are on record.

    Raises Fenced, naming who holds the row, where a cleared task cannot have a load of its own, where a load
    that waits for its run has lost its row, and where a newer try of the task answers for the load.
    """
    found = _newest(engine, mapped, task)
    if found.over and _to_be_renewed(found, task):
        claim(
            engine,
            airflow_run=task.own_run,
            only=[mapped.config_id],
            trigger=Trigger.MANUAL,
            max_concurrent=max_concurrent,
            airflow_task=task.airflow_task,
            airflow_base_url=task.airflow_base_url,
        )
        renewed = _newest(engine, mapped, task)
        if renewed.metadata_id == found.metadata_id:
            raise _not_claimed(engine, mapped, max_concurrent)
        found = renewed
    if found.over or found.being_reaped:
        return found
    try:
        update_run_tracking(
            engine,
            found.metadata_id,
            found.epoch,
            airflow_task=task.airflow_task,
            submit_token=found.token,
        )
    except Fenced:
        found = _newest(engine, mapped, task)
        overtaken = found.answered > task.number
        if not (found.over or found.being_reaped or (found.submitted and not overtaken)):
            # Its row was deleted or moved on by hand: a loader would be refused just so. Or this try stood
            # still, and the load is a newer one's by now.
            raise
        # It ended, or began to be ended, since we looked; or it runs.
    return found


def _to_be_renewed(ended: Attached, task: Try) -> bool:
    """Return whether a person has cleared the task since its load ended.

    The first try after that need not have come as far as its claim, so every one of them looks.
    """
    if not 1 < task.first <= task.number:
        return False
    return ended.airflow_run != task.own_run and ended.answered < task.first


def _newest(engine: Engine, mapped: MappedLoad, task: Try) -> Attached:
    values = {
        "metadata_id": mapped.metadata_id,
        "config_id": mapped.config_id,
        "airflow_run": task.airflow_run,
        "prefix": task.prefix,
        "airflow_base_url": task.airflow_base_url,
    }
    with transaction(engine, readonly=True) as connection:
        row = connection.execute(_NEWEST, values, execution_options=LAST).one_or_none()
    if row is None:
        raise Fenced(
            f"There is no load {mapped.metadata_id} of config_id {mapped.config_id} and of Airflow run "
            f"{task.airflow_run} in this control database.",
            fix="leave the row to its next run; a database that was restored from a backup has lost the load",
        )
    return Attached(
        metadata_id=row.id,
        # What a reap has moved on is not ours to submit, and keeps the number that the claim gave out.
        epoch=mapped.epoch if row.id == mapped.metadata_id else row.epoch,
        claimed_at=claim_time(row.queued),
        installation=row.installation,
        status=LoadStatus(row.load_status),
        message=row.log_message,
        max_runtime_minutes=row.max_runtime_minutes,
        databricks_run=row.databricks_run,
        workspace_host=row.workspace_host,
        airflow_run=row.airflow_run,
        # Until a try of the task has attached, this is a try of the run's claim.
        answered=try_number(row.airflow_task) if row.answered else 0,
        being_reaped=row.being_reaped,
    )


def _not_claimed(engine: Engine, mapped: MappedLoad, max_concurrent: int) -> Fenced:
    """Return why the row could not be claimed anew."""
    found = why_unclaimed(engine, mapped.config_id, max_concurrent=max_concurrent)
    return Fenced(found.why, fix=found.fix or (f"clear the task {found.again}" if found.again else None))
