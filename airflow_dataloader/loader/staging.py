"""Rows between reading and publishing, in a table of the load's own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.plan import ReadPlan
from airflow_dataloader.exceptions import DataloaderError, EngineFailed
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.completeness import compare_with_source
from airflow_dataloader.loader.engines.protocol import Deduplication, Stage
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.publish import LOAD_AGAIN
from airflow_dataloader.loader.reading import source_errors

_Text = TypeVar("_Text", str, str | None)

log = logging.getLogger(__name__)

#: Keys in a receipt's sample, and characters of one value there.
SAMPLE, LONGEST = 5, 100


@contextmanager
def stage_rows(load: ActiveLoad, plan: ReadPlan, dedup: Deduplication | None) -> Iterator[Stage]:
    """Execute the read into the load's stage, count it, and remove it at the end, whatever happens.

    The enclosed block asks the source nothing: it is not watched there.
    Raises EngineFailed if the source counted other rows in the same snapshot than arrived.
    """
    try:
        load.keeper.check()
        with load.journal.during(Phase.STAGE), source_errors(load, plan.where):
            stage = load.engine.stage(load.engine.read(plan), load.stage_name, dedup)
            load.journal.record(
                rows_read=stage.rows,
                null_keys=stage.null_keys,
                null_cursors=stage.null_cursors,
                values_replaced=stage.values_replaced,
            )
            compare_with_source(load, stage.rows, plan)
            load.reached(Moment.STAGED)
        with load.journal.without_source():
            yield stage
    finally:
        _drop(load)


def record_null_keys(load: ActiveLoad, stage: Stage, dedup: Deduplication) -> None:
    """Write down a few of the staged rows that are left out because they have no key.

    Where they cannot be had, the load goes without.
    """
    if stage.null_keys:
        sample = load.journal.receipt.null_key_sample
        beside = () if dedup.cursor is None or dedup.cursor in dedup.keys else (dedup.cursor,)
        names = (*dedup.keys, *beside)
        ask = partial(load.engine.null_keys, stage, dedup.keys, names)
        load.journal.record(null_key_sample=(*sample, *_sampled(load, names, ask, SAMPLE - len(sample))))


def remark_on_keys(load: ActiveLoad) -> None:
    """Add a remark on rows that were left out because they have no key: how many, and the first."""
    receipt = load.journal.receipt
    if receipt.null_keys:
        first = next(iter(receipt.null_key_sample), {})
        values = ", ".join(f"{name} {'NULL' if text is None else repr(text)}" for name, text in first.items())
        named = f" (the first: {values})" if values else ""
        load.journal.remark(f"{receipt.null_keys} rows with NULL in the key were left out{named}.")


def record_duplicates(load: ActiveLoad, stage: Stage, dedup: Deduplication, chosen: int) -> None:
    """Count the staged rows that were not among the ``chosen`` ones of their keys, and write a few keys down.

    The load has published by now: where these keys cannot be had, it goes without. Raises EngineFailed where
    it has not published each row that has no key, or one row of each key.
    """
    refuse_other_rows(load, stage, chosen, dedup.keys)
    if not dedup.keys:
        return
    left_out = stage.rows - stage.null_keys - chosen
    sample = load.journal.receipt.duplicate_sample
    load.journal.record(duplicate_keys=left_out)
    if left_out:
        ask = partial(load.engine.duplicates, stage, dedup.keys)
        found = _sampled(load, dedup.keys, ask, SAMPLE - len(sample))
        load.journal.record(duplicate_sample=(*sample, *found))


def refuse_other_rows(load: ActiveLoad, stage: Stage, chosen: int, keys: Sequence[str] = ()) -> None:
    """Raise EngineFailed where ``chosen`` is neither the number of a stage's rows, nor that of its keys."""
    left_out = stage.rows - stage.null_keys - chosen
    if left_out == 0 or (left_out > 0 and keys and _are_repeated(load, stage, chosen, keys)):
        return
    raise EngineFailed(
        f"{stage.rows} rows were staged in {stage.name}, {stage.null_keys} of them with NULL in the key, and "
        f"{chosen} came from there to {load.config.target}; repeated keys do not account for that.",
        fix=LOAD_AGAIN,
    )


def _are_repeated(load: ActiveLoad, stage: Stage, chosen: int, keys: Sequence[str]) -> bool:
    """Return whether the stage still holds its rows, and so many keys."""
    return (load.engine.count(stage.name), load.engine.count_keys(stage, keys)) == (stage.rows, chosen)


def _sampled(
    load: ActiveLoad, names: Sequence[str], ask: Callable[[int], Sequence[Sequence[_Text]]], limit: int
) -> Iterator[dict[str, _Text]]:
    """Return at most so many keys, column to text, or none where they cannot be had."""
    try:
        found = ask(limit) if limit > 0 else ()
    except DataloaderError as error:
        log.warning("Keys of %s could not be looked up: %s", load.config.label, error)
        found = ()
    for key in found:
        yield {name: text and text[:LONGEST] for name, text in zip(names, key, strict=True)}


def _drop(load: ActiveLoad) -> None:
    try:
        load.engine.drop_stage(load.stage_name)
    except DataloaderError as error:
        # The load's outcome does not depend on it; what stays behind carries the load's id in its name.
        log.warning("Stage %s could not be removed: %s", load.stage_name, error)
