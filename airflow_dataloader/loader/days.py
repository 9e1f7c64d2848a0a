"""The window of a rolling load, frozen at the source before reading, in the words of source and target."""

from __future__ import annotations

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.names import quoted
from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.loader.reading import Reader
from airflow_dataloader.sources.dialect import Days

#: How a target's SQL spells a value that the source has frozen as text, styles as a session sets them.
LITERALS = {
    CursorType.DATE: "DATE '{}'",
    CursorType.TIMESTAMP: "TIMESTAMP '{}'",
    CursorType.TIMESTAMP_NTZ: "TIMESTAMP_NTZ '{}'",
}


def freeze_days(job: Reader) -> Days:
    """Ask the source for the window's first day, write it down, and count the rows that have no day."""
    with job.journal.during(Phase.PLAN):
        days = job.dialect.days(job.session.query, job.described, job.columns, job.config)
        ((missing,),) = job.session.query(job.dialect.count_sql(job.relation, days.missing))
    job.journal.note(low=days.first, null_cursors=int(missing))
    if missing:
        job.journal.remark(f"{missing} rows without a value in {days.column.source_name!r} were left out.")
    return days


def slice_predicate(days: Days) -> str:
    """Return the predicate of the same window over the target's columns."""
    return f"{quoted(days.column.name)} >= {LITERALS[days.type].format(days.first)}"
