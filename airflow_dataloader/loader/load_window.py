"""Loads one window of the cursor: freeze it, stage it, publish the stage by the verb that a strategy brings.

The window overlaps the last one, so the verb must be one that changes nothing when a row is read again.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_dataloader.core.commit import Commit
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.strategy import NEEDS_KEY
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.empty_guard import refuse_empty_source, refuse_emptying
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage, Written
from airflow_dataloader.loader.keys import key_columns, refuse_keyless_rows, refuse_repeated_keys
from airflow_dataloader.loader.publish import publish, replace_table
from airflow_dataloader.loader.reading import read_where
from airflow_dataloader.loader.shrink_guard import is_guarded, refuse_shrinking
from airflow_dataloader.loader.staging import record_duplicates, record_null_keys, remark_on_keys, stage_rows
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.watermark import valid_watermark
from airflow_dataloader.loader.window import Window, freeze_window, lower_watermark

#: Brings a stage into a target that holds rows already, in one commit.
Verb = Callable[[TargetName, Stage, Commit, Deduplication], Written]


def beginning(load: ActiveLoad) -> str | None:
    """Return the watermark to go on from, or None: read from the beginning. To be asked once a load."""
    return None if load.config.load_full else valid_watermark(load)


def beginning_of_merge(load: ActiveLoad) -> str | None:
    """As :func:`beginning`, for loads that merge.

    Raises ConfigurationError where a key stands twice at the target already, or rows there have none.
    """
    low = beginning(load)
    if _came_otherwise(load, low):
        refuse_repeated_keys(load)
        refuse_keyless_rows(load)
    return low


def beginning_of_append(load: ActiveLoad) -> str | None:
    """As :func:`beginning`, for loads that only add; raise ConfigurationError where rows have no key."""
    low = beginning(load)
    if load.config.primary_key and _came_otherwise(load, low):
        refuse_keyless_rows(load)
    return low


def _came_otherwise(load: ActiveLoad, low: str | None) -> bool:
    """Return whether what the target holds may have come by another key, or by a strategy that asks for none.

    A watermark that a person has set says nothing about keys, and is not asked. The last scan for deleted
    rows may have met rows without a key, which others have put there.
    """
    if load.target is None or load.starts_over:
        return False
    scan = (load.started.last_receipt or {}).get("delete_scan") or {}
    if load.started.last_was_here and scan.get("keyless"):
        return True
    newest = load.target.newest_published
    if low is None or newest is None or not load.target.continuous:
        return True
    facts, alike = newest.commit.facts, {load.config.strategy, *NEEDS_KEY}
    return facts.strategy not in alike or facts.watermark_hash != load.config.watermark_hash


def load_window(load: ActiveLoad, low: str | None, verb: Verb) -> Outcome:
    """Freeze the window that begins at ``low``, and load it; see :func:`load_frozen`."""
    return load_frozen(load, freeze_window(load, low), verb)


def load_frozen(load: ActiveLoad, window: Window, verb: Verb) -> Outcome:
    """Stage the window and publish it: by ``verb``, or in place of the whole table."""
    if load.config.load_full:
        refuse_empty_source(load)
    # The window ends with the source's newest row, so it holds the newest of every key that it holds.
    dedup = Deduplication(keys=key_columns(load), cursor=window.cursor.column.name, newest=not window.behind)
    with stage_rows(load, read_where(load, window.where, newest_rows=window.newest_rows), dedup) as stage:
        record_null_keys(load, stage, dedup)
        remark_on_keys(load)
        if stage.rows == 0 and not load.starts_over:
            load.journal.record(rows_inserted=0, rows_updated=0)
            return Outcome(watermark=window.watermark, watermark_void=window.low is None)
        if stage.null_cursors:
            window = lower_watermark(load, window)
        if load.starts_over and stage.rows == stage.null_keys:
            refuse_emptying(load)
        if load.starts_over:
            refuse_shrinking(load, _rows_to_hold(load, stage, dedup))
        written = _publish(load, window, stage, dedup, verb)
        record_duplicates(load, stage, dedup, written.rows_in)
    return Outcome(watermark=window.watermark, load_full_done=load.config.load_full)


def _publish(load: ActiveLoad, window: Window, stage: Stage, dedup: Deduplication, verb: Verb) -> Written:
    def write(commit: Commit) -> Written:
        if load.starts_over:
            return replace_table(load, stage, commit, dedup if dedup.keys else None)
        return verb(load.config.target, stage, commit, dedup)

    return publish(load, window.facts(), write)


def _rows_to_hold(load: ActiveLoad, stage: Stage, dedup: Deduplication) -> int:
    """Return how many rows a stage makes of a table; repeated keys are counted only where that decides."""
    if dedup.keys and is_guarded(load):
        return load.engine.count_keys(stage, dedup.keys)
    return stage.rows - stage.null_keys
