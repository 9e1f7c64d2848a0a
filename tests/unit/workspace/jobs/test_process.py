"""A task's process group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from airflow_dataloader.workspace.jobs.process import TaskProcess, launch, was_never_started
from airflow_dataloader.workspace.process_start import start_mark
from tests.clock import set_clock
from tests.waiting import until

SLEEP = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
MARK = "DATALOADER_TASK_FOLDER"
STUBBORN = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


each_kind = pytest.mark.parametrize(
    ("command", "whose"),
    [
        pytest.param(command, whose, id=f"{kind}, {whose}")
        for kind, command in (("meek", SLEEP), ("stubborn", (sys.executable, "-c", STUBBORN)))
        for whose in ("ours", "adopted")
    ],
)


@pytest.fixture
def short_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each signal but the last wait for half a second only."""
    ends = ((signal.SIGINT, 0.5), (signal.SIGTERM, 0.5), (signal.SIGKILL, 30.0))
    monkeypatch.setattr("airflow_dataloader.workspace.jobs.process._ENDS", ends)


def begin(folder: Path, *command: str) -> TaskProcess:
    return launch(command, os.environ, folder, lambda pid, born: None)


def adopted(process: TaskProcess) -> TaskProcess:
    """The same process, as a workspace sees it that did not start it."""
    return TaskProcess(process.folder, process.pid, process.born)


def up(folder: Path) -> bool:
    return "up" in (folder / "stdout.log").read_text()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_left_behind_for_whoever_asks(tmp_path: Path, code: int) -> None:
    process = begin(tmp_path, sys.executable, "-c", f"import sys; print('out'); sys.exit({code})")
    until(lambda: not process.alive)
    assert process.exit_code == adopted(process).exit_code == code
    assert not adopted(process).alive
    assert (tmp_path / "stdout.log").read_text() == "out\n"


def test_a_task_that_is_killed_leaves_its_code(tmp_path: Path) -> None:
    process = begin(tmp_path, *SLEEP)
    until(lambda: up(tmp_path))
    (task,) = psutil.Process(process.pid).children()
    task.kill()
    until(lambda: not process.alive)
    assert process.exit_code == 128 + signal.SIGKILL


def test_a_group_that_is_killed_leaves_none(tmp_path: Path) -> None:
    process = begin(tmp_path, *SLEEP)
    os.killpg(process.pid, signal.SIGKILL)
    until(lambda: not process.alive)
    assert process.exit_code is None


@each_kind
@pytest.mark.usefixtures("short_ends")
def test_what_outlives_its_leader_ends_too(tmp_path: Path, command: tuple[str, ...], whose: str) -> None:
    process = begin(tmp_path, *command)
    until(lambda: up(tmp_path))
    (task,) = psutil.Process(process.pid).children()
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive)
    assert task.is_running()
    (process if whose == "ours" else adopted(process)).end()
    until(lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE)
    assert process.exit_code is None


@each_kind
@pytest.mark.usefixtures("short_ends")
def test_ends_whether_it_wants_to_or_not(tmp_path: Path, command: tuple[str, ...], whose: str) -> None:
    process = begin(tmp_path, *command)
    until(lambda: up(tmp_path))
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]
    seen = process if whose == "ours" else adopted(process)
    assert seen.alive
    seen.end()
    assert not seen.alive
    until(lambda: not process.alive and not any(psutil.pid_exists(pid) for pid in family))


def test_what_a_task_leaves_running_ends_with_it(tmp_path: Path) -> None:
    script = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    process = begin(tmp_path, sys.executable, "-c", script)
    until(lambda: not process.alive)
    assert process.exit_code == 0
    left = int((tmp_path / "stdout.log").read_text())
    until(lambda: not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("mark", [None, "another"])
def test_a_number_that_is_somebody_else_s_by_now_is_left_alone(tmp_path: Path, mark: str | None) -> None:
    """The stranger leads a group of that number, as the task did; it may be another folder's task."""
    environment = dict(os.environ) if mark is None else {**os.environ, MARK: str(tmp_path / mark)}
    with subprocess.Popen(["sleep", "600"], start_new_session=True, env=environment) as other:
        born = start_mark(other.pid)
        TaskProcess(tmp_path, other.pid, born).end()
        TaskProcess(tmp_path, other.pid, start_mark(os.getpid())).end()
        assert other.poll() is None
        other.kill()


def test_an_adopted_one_lives_on_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = begin(tmp_path, *SLEEP)
    set_clock(monkeypatch, tmp_path / "proc", process.pid)
    seen = adopted(process)
    assert seen.alive
    seen.end()
    # The kernel takes a process's arguments before it tells its parent of the end.
    until(lambda: not process.alive)


def test_nothing_runs_before_it_is_on_record(tmp_path: Path) -> None:
    """As when the workspace dies between making the process and writing it down."""

    def refuse(pid: int, born: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        launch([sys.executable, "-c", "print('ran')"], os.environ, tmp_path, refuse)
    until(lambda: was_never_started(tmp_path))
    assert (tmp_path / "stdout.log").read_text() == ""
