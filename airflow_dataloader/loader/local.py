"""Claims, loads and settles in one process: the whole way of a row without Airflow."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from typing import TypeVar

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.intervene import cancel
from airflow_dataloader.control.lookup import SelectedRow, no_active_match, select_rows
from airflow_dataloader.control.outage import START_PATIENCE, retry_while_away
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.unclaimed import why_unclaimed
from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.core.selector import Selector
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.defaults import MAX_CONCURRENT_LOADS
from airflow_dataloader.exceptions import RowRefused
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.own_secrets import all_secrets
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.settlement import Result
from airflow_dataloader.loader.stage_sweep import sweep_after

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How one row's load ended, with the name that a person knows it by."""

    config_id: int
    label: str
    status: LoadStatus | None
    message: str
    receipt: Receipt
    #: ``historical_metadata.id`` of its load; None where it was not claimed.
    metadata_id: int | None = None
    #: The control database refuses to have the row queued; the message says why.
    refused: bool = False

    @property
    def claimed(self) -> bool:
        """Whether the row was ours to load at all."""
        return self.metadata_id is not None


def load_locally(
    control: ControlEngine,
    open_context: Callable[[], LoaderContext],
    *,
    selector: Selector | None,
    report: Callable[[Loaded], None] = lambda _: None,
    max_concurrent: int = MAX_CONCURRENT_LOADS,
    limits: ReapLimits | None = None,
) -> list[Loaded]:
    """Load the selected rows now, whatever their slot; without a selector, what is due.

    Of what is due, no row is loaded twice. Loads whose time by ``limits`` is over are given up first. Rows
    are claimed one at a time, so that none waits in a queue that only this process knows; one that the
    control database refuses to have queued stops no other. ``open_context`` is called once, and only when
    there is something to load: an engine takes seconds to start. ``report`` is told of each end;
    ``max_concurrent`` loads may live at the same time, other processes' included. A control database that
    answers at first and goes away later is waited for. Raises ConfigurationError if the selector matches no
    active row.
    """
    reap(control, run_api=None, limits=limits)
    context = cache(open_context)
    ended = []
    for claimed in _claims(control, selector, max_concurrent):
        loaded = claimed if isinstance(claimed, Loaded) else _load(control, context, claimed)
        report(loaded)
        ended.append(loaded)
    done = [load.metadata_id for load in ended if load.metadata_id and load.status is LoadStatus.SUCCEEDED]
    if done:
        sweep_after(control, context().engine, done)
    return ended


def _claims(
    control: ControlEngine, selector: Selector | None, max_concurrent: int
) -> Iterator[Claimed | Loaded]:
    run = f"local-{uuid.uuid4().hex}"
    limited = partial(claim, control, max_concurrent=max_concurrent)
    if selector is None:
        yield from _claims_of_due(limited, run)
        return
    rows = _patiently(partial(select_rows, control, selector))
    if not rows:
        raise no_active_match(control, selector)
    for row in rows:
        one = partial(limited, airflow_run=f"{run}-{row.config_id}", only=[row.config_id])
        claimed = _claimed(partial(one, trigger=Trigger.MANUAL))
        yield from claimed or [_not_claimed(control, row, max_concurrent)]


def _claims_of_due(claim_one: Callable[..., list[Claimed]], run: str) -> Iterator[Claimed | Loaded]:
    # A row whose load takes longer than its slots are apart would be loaded for ever.
    done: list[int] = []
    for number in count():
        one = partial(claim_one, airflow_run=f"{run}-{number}", batch_size=1, left_out=done)
        claimed = _claimed(one)
        if not claimed:
            return
        yield from claimed
        done += [row.config_id for row in claimed]


def _claimed(call: Callable[[], list[Claimed]]) -> Sequence[Claimed | Loaded]:
    """Return what a claim has claimed, or else the rows that the control database refused to have queued."""
    try:
        return _patiently(call)
    except RowRefused as error:
        return [_refused(one) for one in (error, *error.others)]


def _patiently(call: Callable[[], _Answer]) -> _Answer:
    return retry_while_away(call, until=time.monotonic() + START_PATIENCE)


def _not_claimed(control: ControlEngine, row: SelectedRow, max_concurrent: int) -> Loaded:
    found = _patiently(partial(why_unclaimed, control, row.config_id, max_concurrent=max_concurrent))
    fix = found.fix or (f"load it {found.again}" if found.again else None)
    message = f"Not claimed: {found.why}" + (f" Fix: {fix}." if fix else "")
    return Loaded(config_id=row.config_id, label=row.label, status=None, message=message, receipt=Receipt())


def _refused(error: RowRefused) -> Loaded:
    return Loaded(
        config_id=error.config_id,
        label=error.label,
        status=None,
        message=str(error),
        receipt=Receipt(),
        refused=True,
    )


def _load(control: ControlEngine, open_context: Callable[[], LoaderContext], claimed: Claimed) -> Loaded:
    if claimed.load_status == LoadStatus.QUEUED:
        ids = LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch)
        result = run_load(_opened(control, open_context, claimed), ids)
    else:
        # The claim itself found that the row cannot be loaded, and settled it.
        result = Result(
            metadata_id=claimed.metadata_id,
            status=LoadStatus(claimed.load_status),
            message=claimed.message or "",
            receipt=Receipt(),
        )
    return Loaded(
        config_id=claimed.config_id,
        label=claimed.label,
        status=result.status,
        message=result.message,
        receipt=result.receipt,
        metadata_id=claimed.metadata_id,
    )


def _opened(
    control: ControlEngine, open_context: Callable[[], LoaderContext], claimed: Claimed
) -> LoaderContext:
    """Return the context; where it cannot be opened, the claimed row must not wait for its lease to end."""
    try:
        return open_context()
    except Exception as error:
        reason = scrub(f"Nothing here can load: {error}", all_secrets(os.environ))
        cancel(control, claimed.metadata_id, reason, status=LoadStatus.FAILED)
        raise
    except BaseException:
        cancel(control, claimed.metadata_id, "Interrupted before the load began.")
        raise
