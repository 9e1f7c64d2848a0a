"""A control database that falls silent, while the connection to it stands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, TextClause, text

from airflow_dataloader.control.connect import create_engine
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.exceptions import ControlUnavailable
from airflow_dataloader.loader.keeper import LeaseKeeper, LeaseTimes
from tests.faults.proxy import Fault, Plan, Proxy, proxied
from tests.waiting import eventually

ONE = text("SELECT 1")
SILENT = Plan(fault=Fault.STALL)


@pytest.fixture
def between(control_url: str) -> Iterator[tuple[Proxy, str]]:
    with proxied(control_url) as both:
        yield both


@pytest.fixture
def proxy(between: tuple[Proxy, str]) -> Proxy:
    return between[0]


@pytest.fixture
def far(between: tuple[Proxy, str]) -> Iterator[Engine]:
    """An engine behind the proxy, with a connection in its pool, that waits for a second."""
    engine = create_engine(between[1], answer_seconds=1.0)
    ask(engine)
    yield engine
    engine.dispose()


def ask(engine: Engine, question: TextClause = ONE) -> None:
    with transaction(engine) as connection:
        connection.execute(question, execution_options=LAST)


def test_what_is_not_answered_is_given_up_and_asked_over_a_new_connection(proxy: Proxy, far: Engine) -> None:
    proxy.plan = SILENT
    with pytest.raises(ControlUnavailable, match="no answer for 1 s, although the connection stands"):
        ask(far)
    proxy.plan = Plan()
    ask(far)


def test_nor_is_an_answer_in_the_middle_of_a_transaction_waited_for(proxy: Proxy, far: Engine) -> None:
    def ask_twice() -> None:
        with transaction(far) as connection:
            connection.execute(ONE)
            proxy.plan = SILENT
            connection.execute(ONE)

    with pytest.raises(ControlUnavailable, match="no answer for 1 s"):
        ask_twice()
    proxy.plan = Plan()
    ask(far)


def test_nor_is_the_answer_to_a_commit(proxy: Proxy, far: Engine) -> None:
    def commit() -> None:
        with transaction(far) as connection:
            connection.execute(ONE)
            proxy.plan = SILENT

    with pytest.raises(ControlUnavailable, match="no answer for 1 s"):
        commit()


class _Timeout(BaseException):
    """As Airflow's, which is no Exception."""


def test_what_interrupts_the_wait_is_not_taken_for_a_lost_database(control: Engine) -> None:
    def time_out(*_: object) -> None:
        raise _Timeout

    before = signal.signal(signal.SIGALRM, time_out)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(_Timeout):
            ask(control, text("SELECT pg_sleep(20)"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    ask(control)


def test_a_lease_is_renewed_over_a_new_connection(proxy: Proxy, far: Engine) -> None:
    renewed, lost = threading.Event(), threading.Event()

    def beat(_: bool) -> None:
        ask(far)
        if proxy.met:
            renewed.set()

    times = LeaseTimes(beat=0.1, retry=0.1, lease=300.0)
    with LeaseKeeper(beat, progressed=lambda: True, on_lost=lost.set, times=times) as keeper:
        proxy.plan = SILENT
        eventually("the heartbeat is not answered", lambda: proxy.met)
        proxy.plan = Plan()
        assert renewed.wait(60)
        keeper.check()
    assert not lost.is_set()
