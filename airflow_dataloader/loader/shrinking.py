"""The shrink guard: what would lose the target far more rows than it should is never published."""

from __future__ import annotations

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.load_columns import unmarked
from airflow_dataloader.exceptions import ShrinkRefused
from airflow_dataloader.loader.job import Job


def is_guarded(job: Job) -> bool:
    """Return whether the row has a guard, and its target something to lose."""
    return job.config.shrink_guard_percent is not None and job.target is not None and job.target.filled


def refuse_shrinking(job: Job, rows: int, predicate: str | None = None) -> None:
    """Raise ShrinkRefused if ``rows`` are far fewer than those whose place they would take.

    These are all of the target's, or those that satisfy ``predicate`` (Spark SQL over target columns). Rows
    that are marked as deleted are lost already.
    """
    percent = job.config.shrink_guard_percent
    if percent is None or job.target is None or not is_guarded(job):
        return
    parts = [f"({part})" for part in (predicate, unmarked(job.target.columns, job.columns)) if part]
    with job.journal.during(Phase.PLAN):
        held = job.engine.count(job.config.target, " AND ".join(parts) or None)
    if is_beyond(percent, held - rows, held):
        raise ShrinkRefused(
            f"{job.config.label} would hold {rows} rows where it holds {held}, {share(held - rows, held)} % "
            f"fewer; shrink_guard_percent is {percent}.",
            field="shrink_guard_percent",
            fix="see that the source has all its rows; if so, set shrink_guard_percent to "
            f"{share(held - rows, held)} or more for one load, or to NULL",
        )


def is_beyond(percent: int, lost: int, held: int) -> bool:
    """Return whether ``lost`` of ``held`` rows are more than ``percent`` of them."""
    return lost * 100 > percent * held


def share(lost: int, held: int) -> int:
    """Return the smallest whole percentage that lets ``lost`` of ``held`` rows go."""
    return -(-lost * 100 // held)
