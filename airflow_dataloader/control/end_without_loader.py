"""Ends of loads that their loaders cannot write: the run is over without them, or was never submitted."""

from __future__ import annotations

from sqlalchemy import Engine, text

from airflow_dataloader.control.ending import Ending, SettledBy, end
from airflow_dataloader.control.load_view import claim_time
from airflow_dataloader.control.transaction import transaction
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.reaping import EndReason, run_ended
from airflow_dataloader.core.run_api import Run
from airflow_dataloader.core.status import LoadStatus, RowStatus

#: A load that a reap is ending just now has its reason already, and is left to it.
_ENDABLE = text("""
SELECT h.epoch, h.load_status, extract(epoch FROM h.load_queued_time) AS queued
FROM control.historical_metadata h
JOIN control.table_control t ON t.config_id = h.config_id AND t.load_epoch = h.epoch
WHERE h.id = :metadata_id AND h.load_status IN ('Queued', 'In Progress')
    AND (h.reaping_until IS NULL OR h.reaping_until < clock_timestamp())""")


def end_with_run(engine: Engine, metadata_id: int, claimed_at: str, run: Run) -> bool:
    """End a load that its loader has not settled although ``run`` is over; False where nothing was to do.

    ``claimed_at``: :func:`~airflow_dataloader.control.load_view.claim_time`. A load that was claimed
    at another time has the id after a restore from a backup, and nothing to do with ``run``.
    """
    with transaction(engine) as connection:
        found = connection.execute(_ENDABLE, {"metadata_id": metadata_id}).one_or_none()
        if found is None or claim_time(found.queued) != claimed_at:
            return False
        status = RowStatus(found.load_status)
        failure = run_ended(status, run).failure
        ending = Ending(
            metadata_id=metadata_id,
            epoch=found.epoch,
            status=EndReason(failure.error).status,
            failure=failure,
            settled_by=SettledBy.TRIGGER,
            while_in=frozenset({status}),
        )
        return bool(end(connection, [ending], last=True))


def end_unsubmitted(engine: Engine, metadata_id: int, epoch: int, message: str, *, airflow_task: str) -> bool:
    """End a load that could not be submitted; its loader's start is refused should a run exist after all.

    False where nothing was to do: it has started or ended, or not the try ``airflow_task`` answers for it.
    """
    failure = Failure(phase=Phase.START, error=EndReason.NOT_SUBMITTED, message=message, transient=True)
    ending = Ending(
        metadata_id=metadata_id,
        epoch=epoch,
        status=LoadStatus.FAILED,
        failure=failure,
        settled_by=SettledBy.TRIGGER,
        while_in=frozenset({RowStatus.QUEUED}),
        airflow_task=airflow_task,
    )
    with transaction(engine) as connection:
        return bool(end(connection, [ending], last=True))
