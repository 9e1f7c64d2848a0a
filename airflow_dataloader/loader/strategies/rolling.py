"""``rolling``: read the last days anew and put them in place of the target's, in one commit."""

from __future__ import annotations

from functools import partial

from airflow_dataloader.control.settle import finish_load_full
from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.loader.days import freeze_days, refuse_other_day, remark_on_gap, slice_predicate
from airflow_dataloader.loader.emptying import refuse_empty_window
from airflow_dataloader.loader.engines.protocol import Written
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.patience import patiently
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import compare_with_source, explained, read_where
from airflow_dataloader.loader.shrinking import refuse_shrinking
from airflow_dataloader.loader.strategies.outcome import Outcome


def load(job: Job) -> Outcome:
    """Replace the window's days, straight from the read; older ones go or stay by ``rolling_retention``."""
    days = freeze_days(job)
    plan = read_where(job, days.where)
    if job.journal.receipt.source_rows == 0:
        refuse_empty_window(job)
    rows = job.engine.read(plan)
    keeps = job.config.keeps_older_days and not job.replaces_table
    replaced = slice_predicate(days) if keeps else None
    if keeps:
        refuse_other_day(job, days.column.name)
        remark_on_gap(job, days.first)
    refuse_shrinking(job, job.journal.receipt.source_rows or 0, replaced)

    facts = Facts(first=days.first, days=job.config.rolling_days or 1, day=days.column.name.casefold())

    def write(commit: Commit) -> Written:
        if replaced is not None:
            return job.engine.replace_slice(job.config.target, rows, replaced, commit)
        return replace_table(job, rows, commit)

    with explained(job, plan.where):
        written = publish(job, facts, write)
    if job.config.load_full and job.config.keeps_older_days:
        # Before anything fails: to replace the table again would take the days that have passed since.
        patiently(partial(finish_load_full, job.control, job.started), until=job.keeper.deadline)
    job.journal.note(rows_read=written.rows_in, values_replaced=written.values_replaced)
    compare_with_source(job, written.rows_in, plan)
    return Outcome(load_full_done=job.config.load_full)
