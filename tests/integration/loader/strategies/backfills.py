"""A table that is filled in chunks, and an observer that breaks the load between two of them."""

from __future__ import annotations

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.observer import Moment
from tests.bench import Bench

CHUNKED = {"load_strategy": "chunked_backfill", "primary_key_cols": "id", "incremental_column": "at"}


class Breaking:
    """An observer that breaks a load, once: at the given time that one reaches a moment."""

    def __init__(self, moment: Moment, time: int = 1) -> None:
        self._moment, self._left = moment, time

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        self._left -= moment is self._moment
        if moment is self._moment and self._left == 0:
            raise RuntimeError("broken on purpose")


def break_off(bench: Bench, row: int, moment: Moment, time: int = 1) -> None:
    """Have a load of the row fail there; those after it are left alone."""
    bench.observer = Breaking(moment, time)
    bench.fail(row)


def make(bench: Bench, months: int = 4, each: int = 5) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, name text, at timestamptz)")
    bench.source.execute(
        "INSERT INTO items SELECT m * 100 + i, 'old', timestamptz '2025-01-01' + m * interval '31 days' "
        f"+ i * interval '1 minute' FROM generate_series(0, {months - 1}) m, generate_series(1, {each}) i"
    )
