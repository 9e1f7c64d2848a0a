"""Observers that do something in the middle of a load."""

from __future__ import annotations

from collections.abc import Callable

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.observer import Moment


class Interfering:
    """Does something once, while the load waits: at the given time that one reaches a moment."""

    def __init__(self, moment: Moment, action: Callable[[], object], time: int = 1) -> None:
        self._moment, self._action, self._left = moment, action, time

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Interfere, if it is time."""
        if moment is self._moment:
            self._left -= 1
            if self._left == 0:
                self._action()

    @property
    def done(self) -> bool:
        """Whether it has come to that."""
        return self._left <= 0
