"""``full``: read everything, replace the table in one commit. Readers keep the old version until then."""

from __future__ import annotations

from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import explained, read_everything, refuse_empty_source
from airflow_dataloader.loader.strategies.outcome import Outcome


def load(job: Job) -> Outcome:
    """Overwrite the target with the whole source, straight from the read: nothing is staged."""
    plan = read_everything(job)
    refuse_empty_source(job)
    rows = job.engine.read(plan)
    with explained(job, None):
        written = publish(job, {}, lambda commit: replace_table(job, rows, commit))
    job.journal.note(rows_read=written.rows_in, values_replaced=written.values_replaced)
    return Outcome(load_full_done=job.config.load_full)
