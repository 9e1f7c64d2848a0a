"""Claims, loads and settles in one process: the whole way of a row without Airflow."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dataloader.control.claim import Claimed, claim
from airflow_dataloader.control.reap import reap
from airflow_dataloader.control.rows import SelectedRow, select_rows
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.selector import Selector
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.core.strategy import Trigger
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.run import LoadIds, run_load
from airflow_dataloader.loader.settlement import Result
from airflow_dataloader.loader.worker import Worker


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """How one row's load ended, with the name that a person knows it by."""

    config_id: int
    label: str
    status: LoadStatus | None
    message: str
    receipt: Receipt
    #: The configuration that it was claimed with; empty where it was not claimed.
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load_locally(
    worker: Worker, *, selector: Selector | None, report: Callable[[Loaded], None] = lambda _: None
) -> list[Loaded]:
    """Load the selected rows now, whatever their slot; without a selector, what is due.

    Loads that died earlier are given up first, where their time is over. Rows are claimed one at a time, so
    that none waits in a queue that only this process knows. ``report`` is told of each end. Raises
    ConfigurationError if the selector matches no active row.
    """
    reap(worker.control, run_api=None)
    ended = []
    for claimed in _claims(worker, selector):
        loaded = claimed if isinstance(claimed, Loaded) else _load(worker, claimed)
        report(loaded)
        ended.append(loaded)
    return ended


def _claims(worker: Worker, selector: Selector | None) -> Iterator[Claimed | Loaded]:
    run = f"local-{uuid.uuid4().hex}"
    if selector is None:
        number = 0
        while claimed := claim(worker.control, airflow_run=f"{run}-{number}", batch_size=1):
            yield from claimed
            number += 1
        return
    rows = select_rows(worker.control, selector)
    if not rows:
        raise ConfigurationError(
            f"No active row matches {selector}.",
            field="selector",
            fix="look at source, name, status and tags",
        )
    for row in rows:
        claimed = claim(
            worker.control,
            airflow_run=f"{run}-{row.config_id}",
            only=[row.config_id],
            trigger=Trigger.MANUAL,
        )
        if claimed:
            yield from claimed
        else:
            yield _busy(row)


def _busy(row: SelectedRow) -> Loaded:
    message = "Not claimed: another load holds the row, or its source is paused or at its limit."
    return Loaded(config_id=row.config_id, label=row.label, status=None, message=message, receipt=Receipt())


def _load(worker: Worker, claimed: Claimed) -> Loaded:
    if claimed.load_status == LoadStatus.QUEUED:
        ids = LoadIds(metadata_id=claimed.metadata_id, epoch=claimed.epoch)
        result = run_load(worker, ids)
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
        config=claimed.config,
    )
