"""Waiting out a control database that is away."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from airflow_dataloader.control.outage import retry_while_away
from airflow_dataloader.exceptions import ControlUnavailable, Fenced


def failing(times: int, error: Exception) -> tuple[list[int], Callable[[], str]]:
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "answer"

    return calls, call


def test_returns_the_answer_once_the_database_is_back() -> None:
    calls, call = failing(2, ControlUnavailable("away"))
    assert retry_while_away(call, until=time.monotonic() + 60, longest=0.01) == "answer"
    assert len(calls) == 3


def test_gives_up_when_its_time_is_over() -> None:
    calls, call = failing(99, ControlUnavailable("away"))
    with pytest.raises(ControlUnavailable):
        retry_while_away(call, until=time.monotonic())
    assert len(calls) == 1


def test_a_refusal_is_not_waited_out() -> None:
    calls, call = failing(1, Fenced("taken"))
    with pytest.raises(Fenced):
        retry_while_away(call, until=time.monotonic() + 60)
    assert len(calls) == 1


def test_who_does_not_wait_any_more_is_told_at_once() -> None:
    stopping = iter([False, False])
    calls, call = failing(99, ControlUnavailable("away"))
    with pytest.raises(ControlUnavailable):
        retry_while_away(call, until=time.monotonic() + 60, stopped=lambda: next(stopping, True))
    assert len(calls) == 1
