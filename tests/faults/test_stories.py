"""Stories in which loads freeze at any moment, are given up and overtaken, and wake up at any time later.

A frozen load hears of nothing: it sends no heartbeat, and by its own clock its lease has just begun. What
it still does when it goes on must be refused by the control database or by the target, or be found and
adopted by the next load; also where both write at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.status import LoadStatus
from airflow_dataloader.loader.engines.spark.session import EngineSettings, open_engine
from airflow_dataloader.loader.keeper import LeaseTimes
from airflow_dataloader.loader.observer import Moment
from airflow_dataloader.loader.run import run_load
from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench
from tests.faults.accident import give_up
from tests.integration.loader.strategies.stories import ARRIVALS, DEEDS, STORIES, Story
from tests.waiting import PATIENCE, eventually

MOMENTS = [moment for moment in Moment if moment is not Moment.SETTLED]

#: As long as a test can last.
BLIND = LeaseTimes(beat=3600.0, lease=3600.0)

ACCIDENTS = ["freeze", "freeze", "thaw", "race"]


class Frozen:
    """A load in a thread of its own that stops at a moment until it is let go on."""

    def __init__(self, bench: Bench, row: int, moment: Moment) -> None:
        self._moment, self._go = moment, threading.Event()
        self.frozen = False
        self._results: list[Result] = []
        settings = EngineSettings(home=bench.home, remote=bench.remote)
        self._engine = open_engine(settings)
        context = replace(bench.context, engine=self._engine, observer=self, times=BLIND)
        ids = bench.claim(row)
        self._thread = threading.Thread(target=lambda: self._results.append(run_load(context, ids)))
        self._thread.start()
        eventually("its moment, or its end", lambda: self.frozen or not self._thread.is_alive())

    def reached(self, config: LoadConfig, moment: Moment) -> None:
        """Stop here if it is the moment."""
        if moment is self._moment and not self._go.is_set():
            self.frozen = True
            self._go.wait()

    def go_on(self) -> None:
        """Let it go on, and do not wait."""
        self._go.set()

    def end(self) -> Result:
        """Let it go on to its end."""
        self._go.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it does not come to an end"
        self._engine.close()
        return self._results[0]


class Accidents(Story):
    """A story with loads that freeze."""

    def __init__(self, bench: Bench, values: dict[str, Any]) -> None:
        super().__init__(bench, values)
        self._strategy = str(values["load_strategy"])
        self.frozen: list[Frozen] = []

    def load(self, number: int) -> None:
        """Load; a backfill that went on is complete up to its own bound, the next load brings the rest."""
        if self._strategy == "chunked_backfill":
            self.bench.succeed(self.row)
        super().load(number)

    def freeze(self, number: int) -> None:
        """Let a load freeze at the moment of that number, and give it up."""
        if len(self.frozen) > 1:
            return
        if self._strategy == "chunked_backfill":
            self.bench.set(self.row, load_strategy=self._strategy)
        self.ask_for_scan(number)
        load = Frozen(self.bench, self.row, MOMENTS[number % len(MOMENTS)])
        if not load.frozen:
            # It never came to that.
            result = load.end()
            assert result.status is LoadStatus.SUCCEEDED, result.message
            self.loaded(result)
            return
        # What it has read it may have published, or publish yet.
        self.seen()
        give_up(self.bench, self.row)
        self.frozen.append(load)

    def thaw(self, number: int) -> None:
        """Let one of the frozen loads go on to its end."""
        if self.frozen:
            _insist_on_its_defeat(self.frozen.pop(number % len(self.frozen)).end())

    def race(self, number: int) -> None:
        """Let one of them go on while the next load runs."""
        if self.frozen:
            stale = self.frozen.pop(number % len(self.frozen))
            stale.go_on()
            self.load(number)
            _insist_on_its_defeat(stale.end())


def _insist_on_its_defeat(result: Result) -> None:
    assert result.status is not LoadStatus.SUCCEEDED, result.message


@contextmanager
def told(bench: Bench, name: str) -> Iterator[Accidents]:
    """Begin a story, and let no frozen load outlive it."""
    story = Accidents(bench, STORIES[name][0])
    try:
        yield story
    finally:
        for load in story.frozen:
            load.end()


def play(bench: Bench, name: str, deeds: list[tuple[int, int]]) -> None:
    possible = [*STORIES[name][1], *ACCIDENTS]
    if name == "chunked_backfill":
        # Rows that leave a chunk that is done, while others come to it, are seen by no count.
        possible = [*ARRIVALS, *ACCIDENTS]
    with told(bench, name) as story:
        story.new(0)
        for kind, number in deeds:
            getattr(story, possible[kind % len(possible)])(number)
        story.load(0)
        assert story.target == story.expected
        while story.frozen:
            story.thaw(0)
            assert story.target == story.expected, "a load that was overtaken wrote"
        assert bench.stages() == []
        loads = bench.history(story.row)
        assert all(load.load_end_time is not None for load in loads)


@pytest.mark.parametrize("name", ["incremental", "append_only", "chunked_backfill"])
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=4, max_size=8))
def test_a_load_that_wakes_up_late_changes_nothing(
    bench: Bench, name: str, deeds: list[tuple[int, int]]
) -> None:
    play(bench, name, [(0, 0), (len(STORIES[name][1]), 3), *deeds])


@pytest.mark.faults
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", list(STORIES))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=4, max_size=16))
def test_loads_that_wake_up_late_change_nothing_in_long_stories(
    bench: Bench, name: str, deeds: list[tuple[int, int]]
) -> None:
    play(bench, name, deeds)
