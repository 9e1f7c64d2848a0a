"""A load's work between its start and its settlement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.failure import Phase
from airflow_dataloader.core.strategy import Strategy
from airflow_dataloader.loader.active_load import ActiveLoad
from airflow_dataloader.loader.connect_source import connect_source
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.delete_scan import scan_for_deleted
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.reading import open_snapshot, plan_columns
from airflow_dataloader.loader.schema import cluster_columns, decide_schema
from airflow_dataloader.loader.settlement import to_report
from airflow_dataloader.loader.stage_names import application_name
from airflow_dataloader.loader.stop_reads import stop_reads
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

STRATEGIES: Mapping[Strategy, Callable[[ActiveLoad], Outcome]] = {
    Strategy.FULL: full.run,
    Strategy.INCREMENTAL: incremental.run,
    Strategy.APPEND_ONLY: append_only.run,
    Strategy.ROLLING: rolling.run,
    Strategy.CHECK_AND_LOAD: check_and_load.run,
    Strategy.CHUNKED_BACKFILL: chunked_backfill.run,
}


def execute(
    context: LoaderContext, started: Started, keeper: LeaseKeeper, journal: Journal, watchdog: Watchdog
) -> tuple[Started, Outcome]:
    """Connect, plan, take the target, and run the row's strategy. Settles nothing.

    Returns the load as a repair left it, with an adopted watermark in its configuration, and its outcome.
    """
    context.observer.reached(started.config, Moment.STARTED)
    with _active_load(context, started, keeper, journal) as load, watchdog.watching(load.session):
        load.reached(Moment.CONNECTED)
        with journal.during(Phase.PLAN):
            open_snapshot(load)
            load.relation_identity = load.dialect.relation_identity(load.session.query, load.relation)
            plan_columns(load)
            load.cluster_by = cluster_columns(load)
        take_target(load)
        decide_schema(load)
        load.reached(Moment.PLANNED)
        outcome = STRATEGIES[started.config.strategy](load)
        if started.config.delete_scan:
            outcome = scan_for_deleted(load, outcome)
        return load.started, outcome


@contextmanager
def _active_load(
    context: LoaderContext, started: Started, keeper: LeaseKeeper, journal: Journal
) -> Iterator[ActiveLoad]:
    """Connect to the source; when the load breaks, stop what it still runs there and in the engine."""
    with journal.during(Phase.CONNECT):
        name = application_name(started.installation, started.metadata_id)
        dialect, session = connect_source(started.config, context.secrets, application_name=name)
    with closing(session):
        try:
            yield ActiveLoad(
                started=started,
                control=context.control,
                engine=context.engine,
                session=session,
                dialect=dialect,
                keeper=keeper,
                journal=journal,
                observer=context.observer,
            )
        except BaseException as error:
            stop_reads(context.engine, session, error)
            reported = to_report(error, keeper.ended_by, journal.phase)
            if reported is not error:
                raise reported from error
            raise
