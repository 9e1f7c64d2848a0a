"""``append_only``: read a window of the cursor, add what the target does not hold. No row is ever changed."""

from __future__ import annotations

from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.load_window import beginning_of_append, load_window
from airflow_dataloader.loader.strategies.outcome import Outcome


def load(job: Job) -> Outcome:
    """Add the window's rows that are missing; replace the table instead where it is new, or asked to."""
    return load_window(job, beginning_of_append(job), job.engine.append_missing)
