"""What dies is started again; what keeps dying is given up; what is stopped stays away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dataloader.exceptions import ConfigurationError, TransientError
from airflow_dataloader.workspace.demo.marked_processes import Mark
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
from airflow_dataloader.workspace.demo.supervisor import Patience, Supervisor
from tests.waiting import until

QUICK = Patience(pauses=(0.05, 0.05))


class Stage:
    """A supervisor, its parts, and what it has reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: list[str] = []
        self.supervisor = Supervisor(self.reports.append, QUICK)

    def part(self, name: str, script: str) -> ProcessPart:
        return ProcessPart(
            PartSpec(
                name=name,
                command=["sh", "-c", script],
                environment=dict(os.environ),
                folder=self.folder,
                log_file=self.folder / f"{name}.log",
            )
        )

    def start(self, name: str, script: str = "sleep 600") -> ProcessPart:
        part = self.part(name, script)
        self.supervisor.start(part)
        return part


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.stop()
    assert Mark(tmp_path).processes() == []


def kill(part: ProcessPart) -> int:
    """Kill a part and return who it was."""
    pid = part.pid
    os.kill(pid, 9)
    return pid


def test_a_part_that_is_killed_is_started_again_and_reported(stage: Stage) -> None:
    part, other = stage.start("one"), stage.start("two")
    was, stays = kill(part), other.pid
    until(lambda: part.running and part.pid != was)
    assert other.pid == stays
    assert stage.reports == [f"The one has died, and is started again; its log is {part.log_file}."]
    stage.supervisor.check()


def test_a_part_that_keeps_dying_is_given_up_naming_its_log(stage: Stage) -> None:
    part = stage.start("broken", "echo start; exit 3")
    until(lambda: stage.supervisor.failed)
    with pytest.raises(TransientError) as caught:
        stage.supervisor.check()
    assert str(caught.value) == (
        f"The broken has died 3 times in a row. Fix: see {part.log_file}, and start again."
    )
    assert part.log_file.read_text() == "start\n" * 3


def test_one_that_has_lived_long_enough_begins_to_count_anew(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.supervisor = Supervisor(stage.reports.append, Patience(pauses=(0.05,), calm=0.0))
    part = stage.start("one")
    for _ in range(3):
        was = kill(part)
        until(lambda was=was: part.running and part.pid != was)
    stage.supervisor.check()
    stage.supervisor.stop()


class Unwilling(ProcessPart):
    """Does not start while a file is not there."""

    def start(self) -> None:
        if not (self.spec.folder / "may start").exists():
            raise ConfigurationError("The port is taken.")
        super().start()


def test_what_needs_a_part_that_is_down_waits_for_it(stage: Stage) -> None:
    stage.supervisor = Supervisor(stage.reports.append, Patience(pauses=(0.05,) * 1000))
    may_start = stage.folder / "may start"
    may_start.touch()
    base = Unwilling(stage.part("base", "sleep 600").spec)
    stage.supervisor.start(base)
    needs = stage.start("needs", f"test -e '{may_start}' && echo ready && sleep 600")
    until(lambda: "ready" in needs.log_file.read_text())
    may_start.unlink()
    kill(base)
    was = kill(needs)
    until(lambda: any("base" in report for report in stage.reports))
    may_start.touch()
    until(lambda: base.running and needs.running and needs.pid != was)
    assert sum("The needs has" in report for report in stage.reports) == 1, stage.reports


def test_what_cannot_be_started_at_first_is_the_caller_s_and_nothing_is_left(stage: Stage) -> None:
    with pytest.raises(ConfigurationError):
        stage.supervisor.start(Unwilling(stage.part("base", "sleep 600").spec))


class OneByOne(ProcessPart):
    """Does not begin to end before it is its turn."""

    def ask_to_stop(self) -> None:
        """Leave it to :meth:`stop`."""

    def stop(self) -> None:
        super().ask_to_stop()
        super().stop()


def test_all_are_stopped_the_last_first(stage: Stage) -> None:
    order = stage.folder / "order"
    names = ["first", "second", "third"]
    for name in names:
        script = f"trap 'kill $!; echo {name} >> {order}; exit' TERM; sleep 600 & echo ready; wait"
        part = OneByOne(stage.part(name, script).spec)
        stage.supervisor.start(part)
        until(lambda part=part: "ready" in part.log_file.read_text())
    stage.supervisor.stop()
    assert order.read_text().split() == names[::-1]
    assert Mark(stage.folder).processes() == []
