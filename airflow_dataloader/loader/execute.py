"""A load's work between its start and its settlement."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.loader.deletions import delete_gone
from airflow_dataloader.loader.endpoint import resolve_endpoint
from airflow_dataloader.loader.job import Job
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.reading import open_snapshot, plan_columns
from airflow_dataloader.loader.schema import cluster_columns, decide_schema
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.loader.settlement import to_report
from airflow_dataloader.loader.stage_names import application_name
from airflow_dataloader.loader.strategies import (
    append_only,
    check_and_load,
    chunked_backfill,
    full,
    incremental,
    rolling,
)
from airflow_dataloader.loader.strategies.outcome import Outcome
from airflow_dataloader.loader.target import take_target
from airflow_dataloader.loader.watchdog import Watchdog
from airflow_dataloader.loader.worker import Worker
from airflow_dataloader.sources.registry import dialect_of

log = logging.getLogger(__name__)

STRATEGIES: Mapping[Strategy, Callable[[Job], Outcome]] = {
    Strategy.FULL: full.load,
    Strategy.INCREMENTAL: incremental.load,
    Strategy.APPEND_ONLY: append_only.load,
    Strategy.ROLLING: rolling.load,
    Strategy.CHECK_AND_LOAD: check_and_load.load,
    Strategy.CHUNKED_BACKFILL: chunked_backfill.load,
}


def execute(
    worker: Worker, started: Started, keeper: LeaseKeeper, journal: Journal, watchdog: Watchdog
) -> tuple[Started, Outcome]:
    """Connect, plan, take the target, and run the row's strategy. Settles nothing.

    Returns the load as a repair left it, with an adopted watermark in its configuration, and its outcome.
    """
    worker.observer.reached(started.config, Moment.STARTED)
    with _job(worker, started, keeper, journal) as job, watchdog.watching(job.session):
        job.reached(Moment.CONNECTED)
        with journal.during(Phase.PLAN):
            open_snapshot(job)
            plan_columns(job)
            job.cluster_by = cluster_columns(job)
        take_target(job)
        decide_schema(job)
        job.reached(Moment.PLANNED)
        outcome = STRATEGIES[started.config.strategy](job)
        if started.config.delete_scan:
            outcome = delete_gone(job, outcome)
        return job.started, outcome


@contextmanager
def _job(worker: Worker, started: Started, keeper: LeaseKeeper, journal: Journal) -> Iterator[Job]:
    """Connect to the source; when the load breaks, stop what it still runs there and in the engine."""
    config = started.config
    with journal.during(Phase.CONNECT):
        name = application_name(started.installation, started.metadata_id)
        # First: a type that cannot be loaded yet may need other secrets.
        dialect = dialect_of(config.db_type)
        endpoint = resolve_endpoint(config, worker.secrets, application_name=name)
        session = open_session(endpoint)
    with closing(session):
        try:
            yield Job(
                started=started,
                control=worker.control,
                engine=worker.engine,
                session=session,
                dialect=dialect,
                endpoint=session.endpoint,
                keeper=keeper,
                journal=journal,
                observer=worker.observer,
            )
        except BaseException as error:
            stop_reads(worker, session.cancel_reads, error)
            reported = to_report(error, keeper.ended_by, journal.phase)
            if reported is not error:
                raise reported from error
            raise


def stop_reads(worker: Worker, cancel: Callable[[], None], cause: BaseException) -> None:
    """End the statement in the engine, then the source's query, which does not end by itself.

    ``cause``: what broke the load.
    """
    # An interrupt of this process may have ended the engine too, and then there is nothing to warn of.
    level = logging.WARNING if isinstance(cause, Exception) else logging.INFO
    for stop in (worker.engine.interrupt, cancel):
        try:
            stop()
        except Exception as error:  # noqa: BLE001  the load's own error is the one to report
            log.log(level, "Part of the load could not be stopped: %s", error)
