"""Loads one window of the cursor: freeze it, stage it, publish the stage by the verb that a strategy brings.

The window overlaps the last one, so the verb must be one that changes nothing when a row is read again.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.strategy import NEEDS_KEY
from airflow_dataloader.loader.emptying import refuse_empty_source, refuse_emptying
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.keys import key_columns, refuse_keyless_rows, refuse_repeated_keys
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import read_where
from airflow_dataloader.loader.shrinking import is_guarded, refuse_shrinking
from airflow_dataloader.loader.staging import note_duplicates, note_null_keys, remark_on_keys, stage_rows
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.watermark import standing_watermark
from airflow_dataloader.loader.window import Window, freeze_window, no_further_than_the_source

#: Brings a stage into a target that holds rows already, in one commit.
Verb = Callable[[TargetName, Stage, Commit, Deduplication], Written]


def beginning(job: Job) -> str | None:
    """Return the watermark to go on from, or None: read from the beginning. To be asked once a load."""
    return None if job.config.load_full else standing_watermark(job)


def beginning_of_merge(job: Job) -> str | None:
    """As :func:`beginning`, for loads that merge.

    Raises ConfigurationError where a key stands twice at the target already, or rows there have none.
    """
    low = beginning(job)
    if _came_otherwise(job, low):
        refuse_repeated_keys(job)
        refuse_keyless_rows(job)
    return low


def beginning_of_append(job: Job) -> str | None:
    """As :func:`beginning`, for loads that only add; raise ConfigurationError where rows have no key."""
    low = beginning(job)
    if job.config.primary_key and _came_otherwise(job, low):
        refuse_keyless_rows(job)
    return low


def _came_otherwise(job: Job, low: str | None) -> bool:
    """Return whether what the target holds may have come by another key, or by a strategy that asks for none.

    However far a person says that the row has come.
    """
    if job.replaces_table:
        return False
    newest = job.target.newest_published if job.target else None
    facts = Facts() if newest is None else newest.commit.facts
    alike = {job.config.strategy, *NEEDS_KEY}
    return low is None or facts.strategy not in alike or facts.watermark_hash != job.config.watermark_hash


def load_window(job: Job, low: str | None, verb: Verb) -> Outcome:
    """Freeze the window that begins at ``low``, and load it; see :func:`load_frozen`."""
    return load_frozen(job, freeze_window(job, low), verb)


def load_frozen(job: Job, window: Window, verb: Verb) -> Outcome:
    """Stage the window and publish it: by ``verb``, or in place of the whole table."""
    if job.config.load_full:
        refuse_empty_source(job)
    # The window ends with the source's newest row, so it holds the newest of every key that it holds.
    dedup = Deduplication(keys=key_columns(job), cursor=window.cursor.column.name, newest=not window.behind)
    with stage_rows(job, read_where(job, window.where, certain=window.end), dedup) as stage:
        note_null_keys(job, stage, dedup)
        remark_on_keys(job)
        if stage.rows == 0 and not job.replaces_table:
            job.journal.note(rows_inserted=0, rows_updated=0)
            return Outcome(watermark=window.watermark, nothing_read=window.low is None)
        if stage.null_cursors:
            window = no_further_than_the_source(job, window)
        if job.replaces_table and stage.rows == stage.null_keys:
            refuse_emptying(job)
        if job.replaces_table:
            refuse_shrinking(job, _rows_to_hold(job, stage, dedup))
        written = _publish(job, window, stage, dedup, verb)
        note_duplicates(job, stage, dedup, written.rows_in)
    return Outcome(watermark=window.watermark, load_full_done=job.config.load_full)


def _publish(job: Job, window: Window, stage: Stage, dedup: Deduplication, verb: Verb) -> Written:
    def write(commit: Commit) -> Written:
        if job.replaces_table:
            return replace_table(job, stage, commit, dedup if dedup.keys else None)
        return verb(job.config.target, stage, commit, dedup)

    return publish(job, window.facts(), write)


def _rows_to_hold(job: Job, stage: Stage, dedup: Deduplication) -> int:
    """Return how many rows a stage makes of a table; repeated keys are counted only where that decides."""
    if dedup.keys and is_guarded(job):
        return job.engine.count_keys(stage, dedup.keys)
    return stage.rows - stage.null_keys
