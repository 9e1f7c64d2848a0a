"""Rows between reading and publishing, in a table of the load's own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.exceptions import DataloaderError, EngineFailed
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.reading import explained

log = logging.getLogger(__name__)


@contextmanager
def stage_rows(job: Job, plan: ReadPlan, dedup: Deduplication | None) -> Iterator[Stage]:
    """Execute the read into the load's stage, count it, and remove it at the end, whatever happens.

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
            _compare_with_source(job, stage)
            if stage.null_keys:
                job.journal.remark(f"{stage.null_keys} rows with NULL in the key were left out.")
            job.reached(Moment.STAGED)
        yield stage
    finally:
        _drop(job)


def _compare_with_source(job: Job, stage: Stage) -> None:
    expected = job.journal.receipt.source_rows
    if expected is None or job.journal.receipt.snapshot != "exported" or expected == stage.rows:
        return
    found = f"The source counts {expected} rows in the window, {stage.rows} arrived from the same snapshot"
    fixed = job.dialect.fixed_sql(job.config.source, job.config.query)
    if fixed is None or not job.session.query(fixed)[0][0]:
        # What a query or view selects may depend on more than the snapshot, now() above all.
        job.journal.remark(f"{found}: the query or view selects by the time, or by chance.")
        return
    raise EngineFailed(
        f"{found}.", fix="load again; if it happens again, look for a proxy or driver that cuts results"
    )


def _drop(job: Job) -> None:
    try:
        job.engine.drop_stage(job.stage_name)
    except DataloaderError as error:
        # The load's outcome does not depend on it; what stays behind carries the load's id in its name.
        log.warning("Stage %s could not be removed: %s", job.stage_name, error)
