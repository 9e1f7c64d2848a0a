"""Whether the row's watermark still tells what the target holds."""

from __future__ import annotations

from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.facts import Facts
from airflow_dataloader.core.strategy import GOES_ON_FROM, ValuePolicy
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.continuity import why_discontinuous
from airflow_dataloader.loader.engines.protocol import Target


def valid_watermark(load: ActiveLoad) -> str | None:
    """Return the watermark to go on from, or None: read from the beginning.

    A watermark that a load reached stands for one source, cursor, key and target, and for what that target
    held. One that a person set is that person's word.
    """
    config, target = load.config, load.target
    if config.incremental_value is None or target is None or not target.filled:
        # Somebody emptied or dropped it, or a fence created it: rows below the watermark are not there.
        return None
    why = _why_not(load.started, target)
    if why is None:
        return config.incremental_value
    load.journal.remark(f"{why} everything was read again.")
    return None


def _why_not(started: Started, target: Target) -> str | None:
    config = started.config
    newest = target.newest_published
    facts = Facts() if newest is None else newest.commit.facts
    if facts.chunk is not None and not facts.final:
        return "The target holds an unfinished backfill;"
    if config.watermark_of is None:
        return None
    if why := why_discontinuous(target, started.published_epoch):
        return why
    if _saw_no_cursor(target):
        return "No row had a cursor to go on from when the source was last read;"
    if _is_incomplete(started, target):
        return "The load that replaced the target last failed, and may not have read all;"
    return _why_another(config, facts) or _why_another_watermark(config, target)


def _is_incomplete(started: Started, target: Target) -> bool:
    """Return whether the newest rows came by a load that goes by no window and failed after it had published.

    Or was broken off then, before it had compared what it published with the source: to be adopted does not
    make it complete. A window is read again by the next load; all that lies below the watermark is not.
    """
    newest = next((entry.commit for entry in target.published if entry.commit.brings_rows), None)
    if newest is None or newest.facts.window is not None:
        return False
    unsettled = {one.epoch for one in started.uncertain if one.config_id == started.config_id}
    if started.published_failed and started.published_epoch is not None:
        unsettled.add(started.published_epoch)
    return newest.epoch in unsettled


def _saw_no_cursor(target: Target) -> bool:
    """Return whether the last window found no cursor value at all.

    The row keeps the watermark that it had before; cursors that the source has been given since may all lie
    below that. A scan for deleted rows comes after its window and is not one itself; it may tell of a window
    that had nothing to publish.
    """
    for entry in target.published:
        facts = entry.commit.facts
        if facts.watermark_void:
            return True
        if entry.commit.brings_rows:
            return facts.window is not None and facts.window.watermark is None
    return False


def _why_another(config: LoadConfig, newest: Facts) -> str | None:
    """Return why this load cannot go on from the last one to publish, which had these facts."""
    # The commit's digest, too: a full load of something else has no watermark to say so.
    if {config.watermark_of, newest.watermark_hash} != {config.watermark_hash}:
        return "Source, target, cursor or key of the row changed since its watermark was reached;"
    if newest.strategy not in GOES_ON_FROM[config.strategy]:
        return f"The target was loaded as {newest.strategy} last;"
    if newest.values_replaced and config.value_policy is not ValuePolicy.NULL:
        # Below the watermark nobody would look for those that are kept now, or for those that are refused.
        return "Values of the target became NULL by value_policy, which is another now;"
    if newest.delete_scan and newest.window and newest.window.watermark != config.incremental_value:
        # Its load died, and the row was edited before that was adopted.
        return "Rows were deleted since its watermark was reached, and may have returned below it;"
    return None


def _why_another_watermark(config: LoadConfig, target: Target) -> str | None:
    """Return why the row's watermark is neither the newest window's nor the one that it began with.

    That load was never settled, or the control database is older than it. What it has read anew of a source
    that begins anew, or turned back with one that has gone back, may lie below the row's watermark by now.
    """
    for entry in target.published:
        facts, window = entry.commit.facts, entry.commit.facts.window
        if window is None and not entry.commit.brings_rows:
            # A scan that took no rows away for which the watermark would have to go back.
            continue
        if window is None or window.watermark in (None, config.incremental_value):
            return None
        if window.low is None:
            return "The target was last read from the beginning up to another watermark than the row's;"
        if facts.goes_back:
            return "Rows were read when the source had gone back, and the row's watermark has not;"
        if window.low != config.incremental_value:
            return "The target was last read from another watermark up to another than the row's;"
        return None
    return None
