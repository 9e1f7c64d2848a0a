"""A view of a row's source, as a load would see it, that takes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint, PlannedColumn
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.endpoint import resolve_endpoint
from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.reading import open_snapshot, plan_columns
from airflow_dataloader.loader.sessions.protocol import Snapshot, SnapshotKind, SourceSession
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.loader.stop_reads import stop_reads, stop_waiting
from airflow_dataloader.loader.watchdog import Watchdog
from airflow_dataloader.sources.dialect import Dialect
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.registry import dialect_of


@dataclass(kw_only=True)
class SourceView:
    """What is needed to read a row's source; a :class:`~airflow_dataloader.loader.reading.Reader`."""

    config: LoadConfig
    engine: Engine
    session: SourceSession
    dialect: Dialect
    endpoint: Endpoint
    relation: str = ""
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(id=None, kind=SnapshotKind.NONE))
    described: tuple[DescribedColumn, ...] = ()
    columns: tuple[PlannedColumn, ...] = ()
    replaced: str | None = None
    partitioned_by: tuple[str, ...] = ()
    journal: Journal = field(default_factory=Journal)


@contextmanager
def open_source_view(context: LoaderContext, config: LoadConfig) -> Iterator[SourceView]:
    """Connect, freeze one snapshot of the source, and plan its columns; stop what still runs on an error.

    Raises SourceStalled where nothing comes from the source for as long as a load would wait.
    """
    name = f"adl-verify-{config.config_id}-{secrets.token_hex(4)}"
    # First: a type that cannot be loaded yet may need other secrets.
    dialect = dialect_of(config.db_type)
    endpoint = resolve_endpoint(config, context.secrets, application_name=name)
    with closing(open_session(endpoint)) as session:
        view = SourceView(
            config=config, engine=context.engine, session=session, dialect=dialect, endpoint=session.endpoint
        )
        watchdog = Watchdog(pause=context.times.beat, waits=lambda: True)
        keeper = _keeper(context, watchdog)
        try:
            with keeper, watchdog.watching(session):
                open_snapshot(view)
                plan_columns(view)
                yield view
        except BaseException as error:
            stop_reads(context.engine, session, error)
            if keeper.ended_by is not None:
                raise keeper.ended_by from error
            raise


def _keeper(context: LoaderContext, watchdog: Watchdog) -> LeaseKeeper:
    """Return what ends a view of a source that has fallen silent, as it ends a load; a view has no lease."""
    return LeaseKeeper(
        lambda _: None,
        progressed=watchdog.moved,
        on_lost=lambda: stop_waiting(context.engine, watchdog),
        times=context.times,
    )
