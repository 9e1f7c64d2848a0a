"""Who is told how far a load has come: a log, a progress display, or a test that breaks it just there."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Protocol

from airflow_dataloader.core.config import LoadConfig

log = logging.getLogger(__name__)


class Moment(StrEnum):
    """The named moments of a load, in their order."""

    STARTED = "started"
    CONNECTED = "connected"
    FENCED = "fenced"
    PLANNED = "planned"
    STAGED = "staged"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    #: Of a load in chunks: between two of them, and after the last.
    CHUNKED = "chunked"
    SETTLING = "settling"
    SETTLED = "settled"


class Observer(Protocol):
    """Told of every moment, in the load's own thread: an observer that waits makes the load wait."""

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Take note that the load of ``config`` has reached ``moment``."""


class LogObserver:
    """Writes one line a moment."""

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Log the moment with the row's label."""
        log.info("%s: %s", config.label, moment)
