"""Processes are found by their mark, wherever they have gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airflow_dataloader.workspace.demo import marked_processes
from airflow_dataloader.workspace.demo.marked_processes import Mark, lives
from tests.waiting import eventually

#: Leads two others: one in a session of its own, one that has let go of its parent.
FAMILY = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", "600"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    print("orphan", flush=True)
    time.sleep(600)
os.wait()
print("ready", flush=True)
time.sleep(600)
"""

DEAF = "trap '' TERM; echo ready; while :; do sleep 1; done"

#: Writes zeros over its environment, as PostgreSQL's processes do.
WIPED = """
import ctypes, pathlib, time
fields = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
begins, ends = int(fields[47]), int(fields[48])
ctypes.memset(begins, 0, ends - begins)
print("ready", flush=True)
time.sleep(600)
"""

#: Becomes itself again and again.
RESTLESS = """exec sh -c 'eval "$RESTLESS"'"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "a home"
    Mark(tmp_path).kill()


def start(mark: Mark, *command: str, lines: int = 1) -> subprocess.Popen[str]:
    """Start a marked process and return when it has said so many lines."""
    process = subprocess.Popen(
        command, env={**os.environ, **mark.environment()}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    return process


def test_all_that_descend_are_found_and_killed(folder: Path) -> None:
    mark = Mark(folder, "scheduler")
    leader = start(mark, sys.executable, "-c", FAMILY, lines=2)
    found = mark.processes()
    assert len(found) == 3
    assert leader.pid in {process.pid for process in found}
    mark.kill()
    assert mark.processes() == []
    assert not any(lives(process) for process in found)


def test_a_part_is_not_another_and_a_folder_holds_those_below_it(folder: Path) -> None:
    start(Mark(folder / "airflow", "scheduler"), "sh", "-c", "echo; exec sleep 600")
    assert len(Mark(folder).processes()) == 1
    assert len(Mark(folder / "airflow", "scheduler").processes()) == 1
    assert Mark(folder / "airflow", "triggerer").processes() == []
    assert Mark(folder.with_name("a home2")).processes() == []
    Mark(folder / "airflow", "triggerer").kill()
    assert len(Mark(folder).processes()) == 1


def test_a_changed_title_leaves_the_mark(folder: Path) -> None:
    title = (
        "import setproctitle, time; setproctitle.setproctitle('x' * 3000); print(flush=True); time.sleep(600)"
    )
    start(Mark(folder), sys.executable, "-c", title)
    (found,) = Mark(folder).processes()
    assert found.cmdline()[0].startswith("xxx")


def test_a_process_that_becomes_another_is_found_and_killed_meanwhile(folder: Path) -> None:
    # It has no environment for some moments of each exec: a twentieth of all looks fell into one.
    mark = Mark(folder)
    restless = subprocess.Popen(
        ["sh", "-c", RESTLESS], env={**os.environ, **mark.environment(), "RESTLESS": RESTLESS}
    )
    assert all(len(mark.processes()) == 1 for _ in range(200))
    mark.kill()
    assert restless.wait() == -signal.SIGKILL


def test_those_who_lead_are_asked_and_the_deaf_are_killed(folder: Path) -> None:
    polite = start(Mark(folder, "polite"), "sh", "-c", "trap 'kill $!; exit 7' TERM; echo; sleep 600 & wait")
    deaf = start(Mark(folder, "deaf"), "sh", "-c", DEAF)
    # The shells are our children: whoever waits for them here has their codes.
    family = [psutil.Process(process.pid) for process in (polite, deaf)]
    Mark(folder).end(1.0)
    assert Mark(folder).processes() == []
    assert not any(lives(process) for process in family)
    assert (polite.wait(), deaf.wait()) == (7, -signal.SIGKILL)


def test_what_a_slow_look_has_found_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marked_processes, "_KILLED_SECONDS", 0.0)
    sleeping = start(Mark(folder), "sh", "-c", "echo; exec sleep 600")
    Mark(folder).kill()
    assert sleeping.wait() == -signal.SIGKILL


def test_a_process_without_a_mark_is_left_alone(folder: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        Mark(folder).kill()
        assert other.poll() is None
        other.send_signal(signal.SIGKILL)


def test_a_process_that_was_started_without_an_environment_is_not_waited_for() -> None:
    with subprocess.Popen(["sleep", "600"], env={}) as bare:
        try:
            process = psutil.Process(bare.pid)
            # It may have begun to run its program a moment ago.
            eventually("its empty environment", lambda: marked_processes._environment(process) == {})
        finally:
            bare.kill()


@pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux, where a process can write over its environment"
)
def test_a_process_that_has_written_over_its_environment_is_not_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", WIPED], stdout=subprocess.PIPE, text=True) as wiped:
        try:
            assert wiped.stdout is not None
            assert wiped.stdout.readline() == "ready\n"
            environment = marked_processes._environment(psutil.Process(wiped.pid))
            assert environment is not None
            assert not any(environment.values())
        finally:
            wiped.kill()


def test_a_process_that_has_ended_is_not_waited_for() -> None:
    with subprocess.Popen(["sleep", "600"], env={}) as ended:
        process = psutil.Process(ended.pid)
        # Known from here on, also when there is nobody left to be asked for it.
        eventually("its program", process.exe)
        ended.kill()
        eventually("its end", lambda: not lives(process))
        # A kernel says so, or has nothing to show.
        with contextlib.suppress(ProcessLookupError):
            assert marked_processes._environment(process) == {}
