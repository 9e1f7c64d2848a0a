"""A load that ends in the middle, as if its process had been killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench


@dataclass(frozen=True)
class Dying:
    """An observer that ends a load when it gets to a moment."""

    moment: Moment

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        if moment is self.moment:
            raise RuntimeError("dies")


@contextmanager
def dying_at(bench: Bench, moment: Moment) -> Iterator[None]:
    """Let loads end at a moment."""
    bench.observer = Dying(moment)
    try:
        yield
    finally:
        bench.observer = LogObserver()


def die_unsettled(bench: Bench, config_id: int) -> None:
    """Have a row's load publish and not settle; what became of it is for the next one to find."""
    with dying_at(bench, Moment.SETTLING), pytest.raises(RuntimeError, match="dies"):
        bench.load(config_id)
    bench.pretend_lease_ended(config_id)
    bench.give_up()
