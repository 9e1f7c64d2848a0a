"""``chunked_backfill``: read the history in chunks, in however many attempts, then be incremental."""

from __future__ import annotations

from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.backfill import Progress, checking_the_end, refuse_incomplete, take_up
from airflow_dataloader.loader.chunks import load_chunks
from airflow_dataloader.loader.emptying import refuse_emptying
from airflow_dataloader.loader.engines.protocol import Stage
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.shrinking import is_guarded, refuse_shrinking
from airflow_dataloader.loader.staging import refuse_other_rows, remark_on_keys
from airflow_dataloader.loader.strategies.outcome import Outcome


def load(job: Job) -> Outcome:
    """Load the chunks that are left; where the target was filled, replace it by them in one commit."""
    progress = take_up(job)
    load_chunks(job, progress)
    remark_on_keys(job)
    if progress.staged:
        if not progress.finished:
            _replace_target(job, progress)
        job.engine.drop_stage(progress.table)
    return Outcome(
        watermark=progress.plan.watermark,
        load_full_done=job.config.load_full,
        committed_before=progress.finished,
        next_strategy=Strategy.INCREMENTAL,
    )


def _replace_target(job: Job, progress: Progress) -> None:
    waiting = job.engine.inspect(progress.table, job.app_id, back_to=progress.plan.epoch)
    if waiting is None:
        raise EngineFailed(f"Staging table {progress.table} vanished; the next load fills it anew.")
    refuse_incomplete(job, progress, waiting)
    if not waiting.filled:
        refuse_emptying(job)
    stage = Stage(name=progress.table, columns=job.columns, rows=job.engine.count(progress.table))
    if is_guarded(job):
        refuse_shrinking(job, stage.rows)
    with job.journal.without_source():
        written = publish(
            job,
            progress.facts(None),
            lambda commit: replace_table(job, stage, commit),
            step=len(progress.plan.chunks) + 1,
        )
        with checking_the_end(job, progress):
            refuse_other_rows(job, stage, written.rows_in)
