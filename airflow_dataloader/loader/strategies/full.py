"""``full``: read everything, replace the table in one commit. Readers keep the old version until then."""

from __future__ import annotations

from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.emptying import refuse_empty_source
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import compare_with_source, explained, read_everything, read_where
from airflow_dataloader.loader.shrinking import is_guarded, refuse_shrinking
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.window import gone_back


def load(job: Job) -> Outcome:
    """Overwrite the target with the whole source, straight from the read: nothing is staged."""
    # Counting costs the source as much as reading, and only the guard needs the number before the write.
    plan = read_where(job, None) if is_guarded(job) else read_everything(job)
    refuse_empty_source(job)
    refuse_shrinking(job, job.journal.receipt.source_rows or 0)
    reached = gone_back(job)
    rows = job.engine.read(plan)
    with explained(job, None):
        written = publish(job, Facts(window=reached), lambda commit: replace_table(job, rows, commit))
    job.journal.note(rows_read=written.rows_in, values_replaced=written.values_replaced)
    compare_with_source(job, written.rows_in, plan)
    watermark = None if reached is None else reached.watermark
    return Outcome(watermark=watermark, load_full_done=job.config.load_full)
