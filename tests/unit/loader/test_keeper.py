"""The lease keeper: renews, notices a lost row, and gives up before somebody else may take over."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from airflow_dataloader.core.reaping import ReapLimits
from airflow_dataloader.exceptions import ControlUnavailable, Fenced, LeaseLost, SourceStalled
from airflow_dataloader.loader.keeper import LeaseKeeper, LeaseTimes
from airflow_dataloader.settings import Settings
from tests.waiting import PATIENCE, eventually

QUICK = LeaseTimes(beat=0.01, lease=60, grace=300, margin=15, retry=0.01)
#: A lease that is over 0.2 s after its last renewal.
SHORT = LeaseTimes(beat=0.01, lease=0.2, grace=0.1, margin=0.1, retry=0.01)


class Control:
    """A control database that answers as told, and remembers what it was asked."""

    def __init__(self, answer: Callable[[], None] = lambda: None) -> None:
        self.answer = answer
        self.beats: list[bool] = []
        self.third = threading.Event()

    def beat(self, progressed: bool) -> None:
        self.beats.append(progressed)
        if len(self.beats) >= 3:
            self.third.set()
        self.answer()


def keep(
    control: Control,
    times: LeaseTimes = QUICK,
    progressed: Callable[[], bool] = lambda: True,
    lost: threading.Event | None = None,
) -> LeaseKeeper:
    on_lost = lost.set if lost else lambda: None
    return LeaseKeeper(control.beat, progressed=progressed, on_lost=on_lost, times=times)


def keeps() -> bool:
    return "lease-keeper" in {thread.name for thread in threading.enumerate()}


def refuse() -> None:
    raise Fenced("The row has a later epoch.")


def away() -> None:
    raise ControlUnavailable("The control database is away.")


def test_a_movement_is_told_by_the_first_heartbeat_that_gets_through() -> None:
    """Else reap might give up a load that moved while the control database was away."""
    movements = iter([True])

    def away_twice() -> None:
        if len(control.beats) < 3:
            away()

    control = Control(away_twice)
    with keep(control, progressed=lambda: next(movements, False)) as keeper:
        assert control.third.wait(PATIENCE)
        eventually("another", lambda: len(control.beats) > 3)
        keeper.check()
    assert control.beats[:4] == [True, True, True, False]


def test_renews_until_it_is_closed() -> None:
    control = Control()
    with keep(control) as keeper:
        assert control.third.wait(PATIENCE)
        keeper.check()
    assert not keeps()


def test_a_load_that_nothing_moves_in_is_ended_and_may_still_be_settled() -> None:
    lost = threading.Event()
    times = LeaseTimes(beat=0.01, progress=0.05)
    with keep(Control(), times, progressed=lambda: False, lost=lost) as keeper:
        assert lost.wait(PATIENCE)
        with pytest.raises(SourceStalled, match="Nothing has come from the source"):
            keeper.check()
        assert isinstance(keeper.ended_by, SourceStalled)
        keeper.renew_now()


def test_an_interrupt_that_did_not_arrive_ends_the_load_soon() -> None:
    lost, asked = threading.Event(), threading.Event()
    keeper = LeaseKeeper(
        Control().beat,
        progressed=lambda: True,
        on_lost=lost.set,
        times=LeaseTimes(),
        interrupted=asked.is_set,
    )
    with keeper:
        assert keeper.ended_by is None
        asked.set()
        with pytest.raises(KeyboardInterrupt):
            keeper.check()
        assert lost.wait(60)
        assert isinstance(keeper.ended_by, KeyboardInterrupt)


def test_the_settings_say_how_long() -> None:
    times = LeaseTimes.of(Settings.from_environment({"DATALOADER_PROGRESS_MINUTES": "2"}))
    assert (times.progress, times.lease) == (90, 60)


def test_the_defaults_are_those_of_the_settings_and_come_before_the_reap() -> None:
    times, limits = LeaseTimes(), ReapLimits()
    assert times == LeaseTimes.of(Settings())
    assert times.grace == limits.grace
    assert times.progress < limits.progress


def test_a_lost_row_interrupts_the_work_and_refuses_the_next_write() -> None:
    lost = threading.Event()
    with keep(Control(refuse), lost=lost) as keeper:
        assert lost.wait(PATIENCE)
        with pytest.raises(Fenced, match="later epoch"):
            keeper.check()


def unforeseen() -> None:
    raise RuntimeError("cannot execute UPDATE in a read-only transaction")


@pytest.mark.parametrize("fault", [away, unforeseen])
def test_an_outage_shorter_than_the_lease_is_survived(fault: Callable[[], None]) -> None:
    answers = iter([fault, fault, fault])

    def answer() -> None:
        for fault in answers:
            fault()

    control = Control(answer)
    lost = threading.Event()
    with keep(control, lost=lost) as keeper:
        assert control.third.wait(PATIENCE)
        keeper.check()
    assert not lost.is_set()


def test_an_outage_longer_than_the_lease_ends_the_work() -> None:
    lost = threading.Event()
    with keep(Control(away), SHORT, lost=lost) as keeper:
        assert lost.wait(PATIENCE)
        with pytest.raises(LeaseLost, match="could not be renewed"):
            keeper.check()


def test_a_heartbeat_that_finds_the_load_settled_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    control, lost = Control(), threading.Event()

    def settled() -> None:
        control.answer = refuse
        eventually("the end of the heartbeats", lambda: not keeps())

    with keep(control, lost=lost) as keeper:
        keeper.settle(settled)
    assert not lost.is_set()
    assert "This load stops" not in caplog.text


def test_a_process_that_slept_through_its_lease_is_refused_before_the_thread_wakes() -> None:
    keeper = keep(Control(), LeaseTimes(lease=0, grace=0, margin=0))
    with pytest.raises(LeaseLost):
        keeper.check()


def test_a_probe_that_breaks_counts_as_progress() -> None:
    def broken() -> bool:
        raise RuntimeError("no such view")

    control = Control()
    with keep(control, progressed=broken):
        assert control.third.wait(PATIENCE)
    assert set(control.beats) == {True}


def test_no_progress_is_passed_on() -> None:
    control = Control()
    with keep(control, progressed=lambda: False):
        assert control.third.wait(PATIENCE)
    assert set(control.beats) == {False}


def test_renewing_from_outside_says_who_owns_the_row() -> None:
    with pytest.raises(Fenced):
        keep(Control(refuse)).renew_now()
