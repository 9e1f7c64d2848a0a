"""Loads that are broken in the middle: failed, or gone as if their process had been killed."""

from __future__ import annotations

import pytest

from airflow_dataloader.loader.observer import LogObserver, Moment
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.observers import Interfering


class Breaking(Interfering):
    """An observer that breaks a load there."""

    def __init__(self, moment: Moment, time: int = 1) -> None:
        super().__init__(moment, _break, time)


def _break() -> None:
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
