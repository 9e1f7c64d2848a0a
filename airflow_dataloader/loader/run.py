"""One load from its start to its settlement, and several of them one after another."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from airflow_dataloader.control import lease
from airflow_dataloader.control.lease import Started
from airflow_dataloader.control.outage import START_PATIENCE, retry_while_away
from airflow_dataloader.core.receipt import Receipt
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader import interrupt
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.error_line import log_bug
from airflow_dataloader.loader.execute import execute
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.own_secrets import all_secrets
from airflow_dataloader.loader.settlement import Result, Settlement
from airflow_dataloader.loader.stage_sweep import sweep_after
from airflow_dataloader.loader.stop_reads import stop_waiting
from airflow_dataloader.loader.watchdog import Watchdog


@dataclass(frozen=True, kw_only=True)
class LoadIds:
    """Which load, in which epoch of its row: all that a task is ever told."""

    metadata_id: int
    epoch: int


def process_tables(context: LoaderContext, loads: Iterable[LoadIds]) -> list[Result]:
    """Run loads one after another; the failure of one never stops the next, an interrupt stops them all."""
    results = []
    for ids in loads:
        interrupt.check()
        results.append(run_load(context, ids))
    # What made a load fail would make the sweep beside its target fail as well.
    done = [result.metadata_id for result in results if result.status is LoadStatus.SUCCEEDED]
    sweep_after(context.control, context.engine, done)
    return results


def run_load(context: LoaderContext, ids: LoadIds) -> Result:
    """Start, execute and settle one load. Only an interrupt of this process is raised, after settling."""
    nonce = secrets.token_hex(16)
    start = partial(
        lease.start,
        context.control,
        ids.metadata_id,
        ids.epoch,
        nonce=nonce,
        databricks_run=context.databricks_run,
        workspace_host=context.workspace_host,
        lease_seconds=round(context.times.lease),
    )
    try:
        started = retry_while_away(start, until=time.monotonic() + START_PATIENCE)
    except Exception as error:  # noqa: BLE001  the batch's other loads must get their turn
        # Nothing has begun: whoever owns the row by now, or reap, decides about it.
        log_bug(error, all_secrets(os.environ) | context.secrets.given)
        return Result(metadata_id=ids.metadata_id, status=None, message=str(error), receipt=Receipt())
    return _run_started(context, started)


def _run_started(context: LoaderContext, started: Started) -> Result:
    journal = Journal()
    beat = partial(
        lease.heartbeat,
        context.control,
        started.metadata_id,
        started.epoch,
        started.nonce,
        lease_seconds=round(context.times.lease),
    )
    watchdog = Watchdog(pause=context.times.beat, waits=lambda: journal.needs_source)
    keeper = LeaseKeeper(
        lambda progressed: beat(progressed=progressed),
        progressed=watchdog.moved,
        on_lost=lambda: stop_waiting(context.engine, watchdog),
        times=context.times,
    )
    settlement = Settlement(context=context, started=started, keeper=keeper, journal=journal)
    with keeper:
        try:
            repaired, outcome = execute(context, started, keeper, journal, watchdog)
        except Exception as error:  # noqa: BLE001  whatever broke the load is what its row must say
            return settlement.failed(error)
        except BaseException as error:
            settlement.failed(error)
            raise
        return replace(settlement, started=repaired).succeeded(outcome)
