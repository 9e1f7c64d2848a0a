"""Ends what a broken load still runs, in the engine and at the source."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_dataloader.loader.context import LoaderContext

log = logging.getLogger(__name__)


def stop_reads(context: LoaderContext, cancel: Callable[[], None], cause: BaseException) -> None:
    """End the statement in the engine, then the source's query, which does not end by itself.

    ``cause``: what broke the load.
    """
    # An interrupt of this process may have ended the engine too, and then there is nothing to warn of.
    level = logging.WARNING if isinstance(cause, Exception) else logging.INFO
    for stop in (context.engine.interrupt, cancel):
        try:
            stop()
        except Exception as error:  # noqa: BLE001  the load's own error is the one to report
            log.log(level, "Part of the load could not be stopped: %s", error)
