"""Ends what a load still runs, in the engine and at the source."""

from __future__ import annotations

import logging

from airflow_dataloader.loader.engines.protocol import Engine
from airflow_dataloader.loader.sessions.protocol import SourceSession
from airflow_dataloader.loader.watchdog import Watchdog

log = logging.getLogger(__name__)


def stop_reads(engine: Engine, session: SourceSession, cause: BaseException) -> None:
    """End the statement in the engine, then the source's query, which does not end by itself.

    ``cause``: what broke the load.
    """
    # An interrupt of this process may have ended the engine too, and then there is nothing to warn of.
    level = logging.WARNING if isinstance(cause, Exception) else logging.INFO
    for stop in (engine.interrupt, session.cancel_reads):
        try:
            stop()
        except Exception as error:  # noqa: BLE001  the load's own error is the one to report
            log.log(level, "Part of the load could not be stopped: %s", error)


def stop_waiting(engine: Engine, watchdog: Watchdog) -> None:
    """End whatever the load's own thread waits for, from another one: at the source, or in the engine."""
    watchdog.abandon()
    engine.interrupt()
