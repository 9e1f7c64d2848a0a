"""Waiting ends, one way or the other."""

from __future__ import annotations

import psycopg
import pytest

from airflow_dataloader.exceptions import ConfigurationError, TransientError
from airflow_dataloader.workspace.demo.deadline import Deadline


def deadline(seconds: float = 60) -> Deadline:
    return Deadline("Starting", seconds, lambda: None, fix="see the logs")


def test_it_returns_when_it_has_happened() -> None:
    answers = iter([False, False, True])
    deadline().until(lambda: next(answers))
    assert list(answers) == []


def test_who_is_away_for_a_while_is_asked_again() -> None:
    errors = iter([psycopg.OperationalError("away"), TransientError("away"), None])

    def ask() -> str:
        if error := next(errors):
            raise error
        return "answer"

    assert deadline().insist(ask) == "answer"


def test_what_no_waiting_mends_is_raised_at_once() -> None:
    def ask() -> None:
        raise ConfigurationError("wrong")

    with pytest.raises(ConfigurationError):
        deadline().insist(ask)


def test_too_long_is_a_line() -> None:
    with pytest.raises(TransientError) as caught:
        deadline(0).until(lambda: False)
    assert str(caught.value) == "Starting took more than 0 s. Fix: see the logs."


def test_a_pause_that_raises_ends_it() -> None:
    def pause() -> None:
        raise TransientError("given up")

    with pytest.raises(TransientError, match="given up"):
        Deadline("Starting", 60, pause, fix="").until(lambda: False)
