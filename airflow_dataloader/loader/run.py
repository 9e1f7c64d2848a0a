"""One load from its start to its settlement, and several of them one after another."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from airflow_dataloader.control import lease, settle
from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.exceptions import ControlUnavailable, DataloaderError, Fenced
from airflow_dataloader.loader.execute import execute
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.patience import patiently
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.worker import Worker

log = logging.getLogger(__name__)

#: Seconds that a loader waits for the control database before its load has begun.
START_PATIENCE = 120.0

#: Phases in which a write may be on its way to the target.
_WRITING = frozenset({Phase.FENCE, Phase.PUBLISH})


@dataclass(frozen=True, kw_only=True)
class LoadIds:
    """Which load, in which epoch of its row: all that a task is ever told."""

    metadata_id: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a load ended. ``status`` is None where somebody else took the row and decides."""

    metadata_id: int
    status: LoadStatus | None
    message: str
    receipt: Receipt


def process_tables(worker: Worker, loads: Iterable[LoadIds]) -> list[Result]:
    """Run loads one after another; the failure of one never stops the next."""
    return [run_load(worker, ids) for ids in loads]


def run_load(worker: Worker, ids: LoadIds) -> Result:
    """Start, execute and settle one load. Only an interrupt of this process is raised, after settling."""
    nonce = secrets.token_hex(16)
    start = partial(
        lease.start,
        worker.control,
        ids.metadata_id,
        ids.epoch,
        nonce=nonce,
        databricks_run=worker.databricks_run,
        workspace_host=worker.workspace_host,
    )
    try:
        started = patiently(start, until=time.monotonic() + START_PATIENCE)
    except DataloaderError as error:
        return Result(metadata_id=ids.metadata_id, status=None, message=str(error), receipt=Receipt())
    return _run_started(worker, started, nonce)


def _run_started(worker: Worker, started: Started, nonce: str) -> Result:
    journal = Journal()
    keeper = LeaseKeeper(
        lambda progressed: lease.heartbeat(
            worker.control,
            started.metadata_id,
            started.epoch,
            nonce,
            progressed=progressed,
            lease_seconds=int(worker.times.lease),
        ),
        progressed=lambda: True,
        on_lost=worker.engine.interrupt,
        times=worker.times,
    )
    with keeper:
        try:
            outcome = execute(worker, started, keeper, journal)
        except Exception as error:  # noqa: BLE001  whatever broke the load is what its row must say
            return _settle_failed(worker, started, nonce, keeper, journal, error)
        except BaseException as error:
            _settle_failed(worker, started, nonce, keeper, journal, error)
            raise
        return _settle_succeeded(worker, started, nonce, keeper, journal, outcome)


def _settle_succeeded(
    worker: Worker, started: Started, nonce: str, keeper: LeaseKeeper, journal: Journal, outcome: Outcome
) -> Result:
    worker.observer.reached(started.config, Moment.SETTLING)
    message = "; ".join(journal.receipt.notes)
    call = partial(
        settle.succeed,
        worker.control,
        started,
        nonce,
        receipt=journal.receipt,
        watermark=outcome.watermark,
        strategy_after=outcome.next_strategy,
        clear_load_full=outcome.load_full_done,
        message=message,
    )
    try:
        settled = patiently(call, until=keeper.deadline)
    except DataloaderError as error:
        # The commit stands and names this load; the next load of the row finds and adopts it.
        log.error("Load %s published but could not be settled: %s", started.metadata_id, error)
        return Result(
            metadata_id=started.metadata_id, status=None, message=str(error), receipt=journal.receipt
        )
    worker.observer.reached(started.config, Moment.SETTLED)
    if settled.kept_edits:
        message = f"{message}; " if message else ""
        message += f"edited meanwhile and left as edited: {', '.join(settled.kept_edits)}"
    return Result(
        metadata_id=started.metadata_id,
        status=LoadStatus.SUCCEEDED,
        message=message,
        receipt=journal.receipt,
    )


def _settle_failed(
    worker: Worker,
    started: Started,
    nonce: str,
    keeper: LeaseKeeper,
    journal: Journal,
    error: BaseException,
) -> Result:
    failure = describe(error, journal.phase)
    log.error("%s failed while in %s: %s", started.config.label, journal.phase, failure.message)
    cancelled = not isinstance(error, Exception)
    status: LoadStatus | None = LoadStatus.CANCELLED if cancelled else LoadStatus.FAILED
    call = partial(
        settle.fail,
        worker.control,
        started,
        nonce,
        failure=failure,
        receipt=journal.receipt,
        cancelled=cancelled,
    )
    message = f"{failure.message} Fix: {failure.fix}" if failure.fix else failure.message
    try:
        patiently(call, until=keeper.deadline)
    except (Fenced, ControlUnavailable) as unsettled:
        log.warning("Load %s is not settled by its loader: %s", started.metadata_id, unsettled)
        status = None
    return Result(metadata_id=started.metadata_id, status=status, message=message, receipt=journal.receipt)


def describe(error: BaseException, phase: Phase) -> Failure:
    """Return the failure to record. An error that nobody foresaw leaves a write's outcome open."""
    failure = Failure.of(error, phase)
    if phase in _WRITING and not isinstance(error, DataloaderError):
        return replace(failure, outcome_unknown=True)
    return failure
