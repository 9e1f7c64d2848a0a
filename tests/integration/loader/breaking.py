"""Loads that are broken in the middle: failed, or gone as if their process had been killed."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.observer import LogObserver, Moment
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench


class Breaking:
    """An observer that breaks a load, once: at the given time that one reaches a moment."""

    def __init__(self, moment: Moment, time: int = 1) -> None:
        self._moment, self._left = moment, time

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        self._left -= moment is self._moment
        if moment is self._moment and self._left == 0:
            raise RuntimeError("broken on purpose")


def break_off(bench: Bench, row: int, moment: Moment, time: int = 1) -> Result:
    """Have a load of the row fail there; those after it are left alone."""
    bench.observer = Breaking(moment, time)
    return bench.fail(row)


def die_unsettled(bench: Bench, row: int) -> None:
    """Have a row's load publish and not settle; what became of it is for the next one to find."""
    bench.observer = Breaking(Moment.SETTLING)
    with pytest.raises(RuntimeError, match="broken on purpose"):
        bench.load(row)
    bench.observer = LogObserver()
    bench.pretend_lease_ended(row)
    bench.give_up()
