"""``incremental``: read a window of the cursor, merge it by key.

The window overlaps the last one, and the merge updates only what differs and is not older, so reading a
row again, or late, changes nothing that should not change.
"""

from __future__ import annotations

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.publish import publish
from airflow_dataloader.loader.reading import read_window, refuse_empty_source, refuse_emptying
from airflow_dataloader.loader.staging import stage_rows
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.watermark import standing_watermark
from airflow_dataloader.loader.window import Window, freeze_window


def load(job: Job) -> Outcome:
    """Stage the window and merge it; replace the table instead where it is new, or ``load_full`` asks."""
    replaces = job.config.load_full or job.target is None or not job.target.filled
    low = None if job.config.load_full else standing_watermark(job)
    window = freeze_window(job, low)
    if job.config.load_full:
        refuse_empty_source(job)
    dedup = Deduplication(keys=key_columns(job), cursor=window.cursor.column.name)
    with stage_rows(job, read_window(job, window), dedup) as stage:
        if stage.rows == 0 and not replaces:
            job.journal.note(rows_inserted=0, rows_updated=0)
            return Outcome(watermark=window.watermark)
        if replaces and stage.rows == stage.null_keys:
            refuse_emptying(job)
        written = _publish(job, window, stage, dedup, replaces=replaces)
    job.journal.note(duplicate_keys=stage.rows - stage.null_keys - written.rows_in)
    return Outcome(watermark=window.watermark, load_full_done=job.config.load_full)


def _publish(job: Job, window: Window, stage: Stage, dedup: Deduplication, *, replaces: bool) -> Written:
    def write(commit: Commit) -> Written:
        if replaces:
            return job.engine.overwrite(job.config.target, stage, commit, dedup)
        return job.engine.merge(job.config.target, stage, commit, dedup)

    return publish(job, window.facts(), write)


def key_columns(job: Job) -> tuple[str, ...]:
    """Return the target's names of the key columns; raise ConfigurationError for one the source lacks."""
    return tuple(
        job.dialect.find_column(job.columns, name, field="primary_key_cols").name
        for name in job.config.primary_key
    )
