"""The guard of a filled target: what would leave it empty is refused, unless the row allows that."""

from __future__ import annotations

from airflow_dataloader.core.strategy import EmptySourcePolicy
from airflow_dataloader.exceptions import EmptySource
from airflow_dataloader.loader.job import Job


def must_stay_filled(job: Job) -> bool:
    """Return whether the target holds rows, and the row does not allow a load to take them all."""
    filled = job.target is not None and job.target.filled
    return filled and job.config.empty_source_policy is not EmptySourcePolicy.ALLOW


def refuse_empty_source(job: Job) -> None:
    """Raise EmptySource if the source is empty, the target is not, and the row does not allow that."""
    if not must_stay_filled(job):
        return
    ((any_row,),) = job.session.query(job.dialect.probe_sql(job.relation, None))
    if not any_row:
        raise EmptySource(
            f"The source of {job.config.label} is empty, and its target is not.",
            field="empty_source_policy",
            fix="fill the source, or set empty_source_policy to allow if the target shall be emptied",
        )


def refuse_empty_window(job: Job) -> None:
    """Raise EmptySource for a window without a row over a filled target, as for an empty source."""
    if must_stay_filled(job):
        raise EmptySource(
            f"No row that {job.config.label} reads lies in its window, and its target is not empty.",
            field="empty_source_policy",
            fix="see whether the source still gets rows, or set empty_source_policy to allow if the window "
            "may be empty",
        )


def refuse_emptying(job: Job) -> None:
    """Raise EmptySource for a source of which no row can go into a filled target, as for an empty one."""
    if must_stay_filled(job):
        raise EmptySource(
            f"No row that {job.config.label} reads has both a key and a cursor, and its target is not empty.",
            field="primary_key_cols",
            fix="name key and cursor columns that the source fills, or set empty_source_policy to allow "
            "if the target shall be emptied",
        )
