"""Whether the row's watermark still tells what the target holds."""

from __future__ import annotations

from airflow_dataloader.core.commit import CHUNK, FINAL
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.job import Job


def standing_watermark(job: Job) -> str | None:
    """Return the watermark to go on from, or None: read from the beginning.

    A watermark that a load reached stands for one source, cursor, key and target, and for what that target
    held. One that a person set is that person's word.
    """
    config, target = job.config, job.target
    if config.incremental_value is None or target is None or not target.filled:
        # Somebody emptied or dropped it, or a fence created it: rows below the watermark are not there.
        return None
    if _is_half_filled(target):
        job.journal.remark("The target holds an unfinished backfill; everything was read again.")
        return None
    if config.watermark_of is None:
        return config.incremental_value
    if config.watermark_of != config.watermark_hash:
        job.journal.remark(
            "Source, target, cursor or key of the row changed since its watermark was reached; "
            "everything was read again."
        )
        return None
    if not target.continuous:
        job.journal.remark(
            "The target was made anew, restored, replaced or loaded under another name since the last load; "
            "everything was read again."
        )
        return None
    return config.incremental_value


def _is_half_filled(target: Target) -> bool:
    """Return whether the newest commit is a chunk that others were to follow."""
    newest = next((entry.commit for entry in target.commits if entry.commit.publishes), None)
    return newest is not None and CHUNK in newest.facts and not newest.facts.get(FINAL)
