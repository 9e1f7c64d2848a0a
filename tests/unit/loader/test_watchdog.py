"""What counts as movement at the source."""

from __future__ import annotations

import errno
import threading
from typing import Any, cast

import pytest

from airflow_dataloader.exceptions import SourceRefused, SourceUnavailable
from airflow_dataloader.loader.sessions.protocol import Activity, SourceSession
from airflow_dataloader.loader.watchdog import Watchdog
from tests.waiting import PATIENCE

IDLE = Activity(busy=False, marks=frozenset({"7 idle 10:00"}))
LATER = Activity(busy=False, marks=frozenset({"7 idle 10:01"}))
BUSY = Activity(busy=True, marks=frozenset({"7 active 10:00"}))


class Source:
    """A session that shows one activity after another, and the last one for ever."""

    def __init__(self, *shown: Activity | Exception | None) -> None:
        self._shown = list(shown)
        self.looks = threading.Semaphore(0)
        self.abandoned = False

    def activity(self) -> Activity | None:
        now = self._shown.pop(0) if len(self._shown) > 1 else self._shown[0]
        self.looks.release()
        if isinstance(now, Exception):
            raise now
        return now

    def abandon(self) -> None:
        self.abandoned = True


def moved_after_a_while(source: Source) -> bool:
    """Return whether anything moves once the first looks are past."""
    watchdog = Watchdog(pause=0.005, waits=lambda: True)
    with watchdog.watching(cast("SourceSession", source)):
        for _ in range(4):
            assert source.looks.acquire(timeout=PATIENCE)
        watchdog.moved()
        while source.looks.acquire(blocking=False):
            # One of the looks before that, which this thread was too slow for.
            pass
        for _ in range(3):
            assert source.looks.acquire(timeout=PATIENCE)
        return watchdog.moved()


@pytest.mark.parametrize(
    ("shown", "moves"),
    [
        ([IDLE], False),
        ([IDLE, LATER] * 20, True),
        ([BUSY], True),
        ([None], True),
        ([BUSY, Activity(busy=False, marks=frozenset())], False),
        ([SourceUnavailable("It does not answer.")], False),
        ([SourceRefused("Too many connections.")], True),
        ([OSError(errno.EMFILE, "Too many open files")], True),
    ],
    ids=["still", "changing", "computing", "nothing asked", "lost", "no answer", "refused", "no look"],
)
def test_movement(shown: list[Any], moves: bool) -> None:
    assert moved_after_a_while(Source(*shown)) is moves


def test_a_source_that_does_not_answer_ends_nothing_while_nothing_is_asked_of_it() -> None:
    source = Source(SourceUnavailable("It does not answer."))
    watchdog = Watchdog(pause=0.005, waits=lambda: False)
    with watchdog.watching(cast("SourceSession", source)):
        for _ in range(4):
            assert source.looks.acquire(timeout=PATIENCE)
            assert watchdog.moved()


def test_a_look_that_hangs_is_no_movement() -> None:
    hold, reached = threading.Event(), threading.Event()

    class Hanging(Source):
        def activity(self) -> Activity | None:
            reached.set()
            assert hold.wait(PATIENCE)
            return BUSY

    watchdog = Watchdog(pause=0.005, waits=lambda: True)
    with watchdog.watching(cast("SourceSession", Hanging(None))):
        assert reached.wait(PATIENCE)
        watchdog.moved()
        assert not watchdog.moved()
        hold.set()


def test_without_a_source_to_wait_for_a_load_moves() -> None:
    watchdog = Watchdog(pause=0.005, waits=lambda: True)
    assert watchdog.moved()
    assert watchdog.moved()
    watchdog.abandon()


def test_abandoning_reaches_the_session_that_is_watched() -> None:
    source, watchdog = Source(IDLE), Watchdog(pause=60, waits=lambda: True)
    with watchdog.watching(cast("SourceSession", source)):
        watchdog.abandon()
    assert source.abandoned
