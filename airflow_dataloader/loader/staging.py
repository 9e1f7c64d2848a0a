"""Rows between reading and publishing, in a table of the load's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.exceptions import DataloaderError
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.reading import compare_with_source, explained

log = logging.getLogger(__name__)

#: Keys in a receipt's sample, and characters of one value there.
SAMPLE, LONGEST = 5, 100


@contextmanager
def stage_rows(job: Job, plan: ReadPlan, dedup: Deduplication | None) -> Iterator[Stage]:
    """Execute the read into the load's stage, count it, and remove it at the end, whatever happens.

    The enclosed block asks the source nothing: it is not watched there.
    Raises EngineFailed if the source counted other rows in the same snapshot than arrived.
    """
    try:
        job.keeper.check()
        with job.journal.during(Phase.STAGE), explained(job, plan.where):
            stage = job.engine.stage(job.engine.read(plan), job.stage_name, dedup)
            job.journal.note(
                rows_read=stage.rows,
                null_keys=stage.null_keys,
                null_cursors=stage.null_cursors,
                values_replaced=stage.values_replaced,
            )
            compare_with_source(job, stage.rows, plan.where)
            job.reached(Moment.STAGED)
        with job.journal.without_source():
            yield stage
    finally:
        _drop(job)


def remark_on_keys(job: Job) -> None:
    """Say how many rows were left out because they have no key."""
    if job.journal.receipt.null_keys:
        job.journal.remark(f"{job.journal.receipt.null_keys} rows with NULL in the key were left out.")


def note_duplicates(job: Job, stage: Stage, dedup: Deduplication, chosen: int) -> None:
    """Count the staged rows that were not among the ``chosen`` ones of their keys, and write a few keys down.

    The load has published by now: where the keys cannot be had, it goes without.
    """
    left_out = stage.rows - stage.null_keys - chosen
    sample = job.journal.receipt.duplicate_sample
    job.journal.note(duplicate_keys=left_out)
    if left_out <= 0 or len(sample) >= SAMPLE:
        return
    try:
        found = job.engine.duplicates(stage, dedup.keys, SAMPLE - len(sample))
    except DataloaderError as error:
        log.warning("Duplicate keys of %s could not be looked up: %s", job.config.label, error)
        return
    keys = (dict(zip(dedup.keys, (text[:LONGEST] for text in key), strict=True)) for key in found)
    job.journal.note(duplicate_sample=(*sample, *keys))


def _drop(job: Job) -> None:
    try:
        job.engine.drop_stage(job.stage_name)
    except DataloaderError as error:
        # The load's outcome does not depend on it; what stays behind carries the load's id in its name.
        log.warning("Stage %s could not be removed: %s", job.stage_name, error)
