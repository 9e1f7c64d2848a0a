"""Whether the row's watermark still tells what the target holds."""

from __future__ import annotations

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.strategy import GOES_ON_FROM, ValuePolicy
from airflow_dataloader.loader.continuity import interruption
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
    why = _why_not(config, target, job.started.published_epoch)
    if why is None:
        return config.incremental_value
    job.journal.remark(f"{why} everything was read again.")
    return None


def _why_not(config: LoadConfig, target: Target, published_epoch: int | None) -> str | None:
    newest = target.newest_published
    facts = Facts() if newest is None else newest.commit.facts
    if facts.chunk is not None and not facts.final:
        return "The target holds an unfinished backfill;"
    if config.watermark_of is None:
        return None
    if why := interruption(target, published_epoch):
        return why
    if _saw_no_cursor(target):
        return "No row had a cursor when the source was last read;"
    return _why_another(config, facts)


def _saw_no_cursor(target: Target) -> bool:
    """Return whether the last window that was read had no end, and began at the beginning or had had one.

    The row keeps the watermark that it had before; cursors that the source has been given since may all lie
    below that. A scan for deleted rows comes after its window, and is none; it may tell of a window that had
    nothing to publish.
    """
    for entry in target.published:
        facts = entry.commit.facts
        if facts.nothing_read:
            return True
        if entry.commit.brings_rows:
            return facts.window is not None and facts.window.watermark is None
    return False


def _why_another(config: LoadConfig, newest: Facts) -> str | None:
    """Say why a load with these facts, the last to publish, is none that this one goes on from."""
    # The commit's digest, too: a full load of something else has no watermark to say so.
    if {config.watermark_of, newest.watermark_hash} != {config.watermark_hash}:
        return "Source, target, cursor or key of the row changed since its watermark was reached;"
    if newest.strategy not in GOES_ON_FROM[config.strategy]:
        return f"The target was loaded as {newest.strategy} last;"
    if newest.nulls and config.value_policy is not ValuePolicy.NULL:
        # Below the watermark nobody would look for those that are kept now, or for those that are refused.
        return "Values of the target became NULL by value_policy, which is another now;"
    if newest.delete_scan and newest.window and newest.window.watermark != config.incremental_value:
        # Its load died, and the row was edited before that was adopted.
        return "Rows were deleted since its watermark was reached, and may have returned below it;"
    if _is_up_to_another(config, newest):
        return "The target was last read from the beginning up to another watermark than the row's;"
    return None


def _is_up_to_another(config: LoadConfig, newest: Facts) -> bool:
    """Return whether a load has read everything up to another watermark than the row's, and never settled.

    By ``load_full`` it may have put the rows of a source that begins anew in the table's place, and what is
    added there now lies below the row's watermark.
    """
    window = newest.window
    return (
        window is not None
        and window.low is None
        and window.watermark != config.incremental_value
        and not newest.delete_scan
    )
