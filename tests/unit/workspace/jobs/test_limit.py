"""How long something may take."""

from __future__ import annotations

import time

import pytest

from airflow_dataloader.workspace.jobs.limit import Limit

HOURS = 3600


def ago(seconds: float) -> int:
    return round((time.time() - seconds) * 1000)


def test_nothing_passes_that_has_not_begun() -> None:
    assert not Limit(1).passed
    assert not Limit(0, ago(100 * HOURS)).passed


def test_what_an_earlier_process_saw_begin_has_taken_as_long_as_the_clock_says() -> None:
    assert Limit(HOURS, ago(2 * HOURS)).passed
    assert not Limit(3 * HOURS, ago(2 * HOURS)).passed


def test_a_beginning_that_is_still_to_come_is_now() -> None:
    limit = Limit(HOURS, ago(-2 * HOURS))
    assert not limit.passed


def test_it_begins_once() -> None:
    limit = Limit(HOURS, ago(2 * HOURS))
    limit.begin()
    assert limit.passed


def test_setting_the_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    began, limit = Limit(HOURS, ago(0)), Limit(HOURS)
    limit.begin()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 5 * HOURS)
    assert not began.passed
    assert not limit.passed
