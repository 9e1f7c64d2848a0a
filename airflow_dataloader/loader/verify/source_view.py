"""A view of a row's source, as a load would see it, that takes nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.connect_source import connect_source
from airflow_dataloader.loader.context import LoaderContext
from airflow_dataloader.loader.journal import Journal
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.reader import Reader
from airflow_dataloader.loader.reading import open_snapshot, plan_columns
from airflow_dataloader.loader.stop_reads import stop_reads, stop_waiting
from airflow_dataloader.loader.watchdog import Watchdog


@dataclass(kw_only=True)
class SourceView(Reader):
    """What is needed to read a row's source."""

    row_config: LoadConfig

    @property
    def config(self) -> LoadConfig:
        """The row's configuration, as it was when the look began."""
        return self.row_config


@contextmanager
def open_source_view(context: LoaderContext, config: LoadConfig) -> Iterator[SourceView]:
    """Connect, freeze one snapshot of the source, and plan its columns; stop what still runs on an error.

    Raises SourceStalled where nothing comes from the source for as long as a load would wait.
    """
    name = f"adl-verify-{config.config_id}-{secrets.token_hex(4)}"
    dialect, session = connect_source(config, context.secrets, application_name=name)
    with closing(session):
        view = SourceView(
            row_config=config, engine=context.engine, session=session, dialect=dialect, journal=Journal()
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
