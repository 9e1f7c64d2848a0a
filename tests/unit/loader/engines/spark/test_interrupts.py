"""Stopping a verb from another thread."""

from __future__ import annotations

import threading

import pytest

from airflow_dataloader.exceptions import EngineFailed
from airflow_dataloader.loader.engines.spark.interrupts import Interrupts
from tests.waiting import PATIENCE


def test_an_interrupt_returns_only_when_the_statement_has_ended() -> None:
    stopped, running = threading.Event(), threading.Event()
    cancelled = []

    def cancel() -> bool:
        cancelled.append(True)
        if len(cancelled) == 2:
            # The first one came between two jobs and found nothing.
            stopped.set()
        return True

    interrupts = Interrupts(cancel)

    def work() -> None:
        with interrupts.verb(), interrupts.statement():
            running.set()
            stopped.wait(PATIENCE)

    thread = threading.Thread(target=work)
    thread.start()
    running.wait(PATIENCE)
    interrupts.interrupt()
    assert not interrupts.busy
    assert len(cancelled) == 2
    thread.join()


def test_an_interrupted_verb_starts_no_further_statement_and_the_next_one_does() -> None:
    interrupts = Interrupts(lambda: False)
    with interrupts.verb():
        interrupts.interrupt()
        assert interrupts.stopping
        with pytest.raises(EngineFailed, match="interrupted"), interrupts.statement():
            pytest.fail("it started")
    with interrupts.verb(), interrupts.statement():
        assert interrupts.busy


def test_without_a_verb_whatever_was_left_running_is_stopped() -> None:
    answers = [True, True, False]
    interrupts = Interrupts(lambda: answers.pop(0))
    interrupts.interrupt()
    assert not answers
    with interrupts.verb(), interrupts.statement():
        assert not interrupts.stopping
