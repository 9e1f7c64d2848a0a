"""A component that lives and is not heard of is ended, and its supervisor starts it again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dataloader.workspace.demo.hangs import Hangs
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
from airflow_dataloader.workspace.demo.supervisor import Supervisor
from tests.waiting import until


class Stage:
    """Two components, what Airflow says of them, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[str] = []
        self.unheard: set[str] = set()
        self.now, self.asked = 100.0, 0
        self.supervisor = Supervisor(self.reports.append)
        self.hangs = Hangs(self._ask, self.reports.append, clock=lambda: self.now)
        self.one, self.other = (self._part(folder, name) for name in ("scheduler", "triggerer"))

    def _ask(self) -> set[str]:
        self.asked += 1
        return self.unheard

    def _part(self, folder: Path, name: str) -> ProcessPart:
        part = ProcessPart(
            PartSpec(
                name=name,
                command=["sleep", "600"],
                environment=dict(os.environ),
                folder=folder,
                log_file=folder / f"{name}.log",
            )
        )
        self.supervisor.start(part)
        self.hangs.watch(part)
        return part

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.hangs.look()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.stop()


def test_one_that_hangs_is_started_again_and_the_others_stay(stage: Stage) -> None:
    was, stays = stage.one.pid, stage.other.pid
    stage.unheard = {"scheduler"}
    stage.after(0)
    stage.after(59)
    assert (stage.one.pid, stage.reports) == (was, [])
    stage.after(10)
    until(lambda: stage.one.running and stage.one.pid != was)
    assert stage.other.pid == stays
    assert stage.reports[0] == f"The scheduler hangs, and is ended; its log is {stage.one.log_file}."
    # Its successor gets as long.
    follows = stage.one.pid
    stage.after(10)
    stage.after(50)
    assert stage.one.pid == follows
    assert len(stage.reports) == 2


def test_one_that_is_heard_of_again_has_not_hung(stage: Stage) -> None:
    was = stage.one.pid
    for unheard in ({"scheduler"}, set(), {"scheduler"}):
        stage.unheard = unheard
        stage.after(50)
    assert (stage.one.pid, stage.reports) == (was, [])


def test_airflow_is_not_asked_all_the_time(stage: Stage) -> None:
    for _ in range(40):
        stage.after(0.5)
    assert stage.asked == 2
