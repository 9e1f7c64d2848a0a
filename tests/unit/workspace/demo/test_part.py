"""One process with its children: started, ended, replaced."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_dataloader.workspace.demo.marked_processes import Mark, lives
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
from airflow_dataloader.workspace.unprivileged import choose

Make = Callable[..., ProcessPart]

#: A leader whose child lets nobody look into it, as Airflow's workers do, and agents that keep keys.
SECRETIVE = """
import ctypes, os, time
if os.fork() == 0:
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
    print("ready", os.getpid(), flush=True)
time.sleep(600)
"""

#: Ends such a leader in the way that it is told, and says whether its child and that of a stranger are left.
OWNER = """
import contextlib, os, signal, subprocess, sys, time
from pathlib import Path
import psutil
from airflow_dataloader.workspace.demo.marked_processes import Mark, lives
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
folder, way, program = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
command = [sys.executable, "-c", program]
stranger = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
other = psutil.Process(int(stranger.stdout.readline().split()[1]))
part = ProcessPart(PartSpec(name="part", command=command, environment=dict(os.environ), folder=folder,
                            log_file=folder / "part.log"))
part.start()
while "ready" not in part.log_file.read_text():
    time.sleep(0.02)
child = psutil.Process(int(part.log_file.read_text().split()[1]))
with contextlib.suppress(psutil.AccessDenied):
    child.environ()
    print("seen")
if way == "stop":
    part.stop()
elif way == "start":
    os.kill(part.pid, signal.SIGKILL)
    part.wait()
    part.start()
elif way == "end":
    Mark(folder).end(10)
else:
    # The number of a session that had been ours is another's by now.
    Mark(folder).kill([stranger.pid])
print("child", lives(child), "other", lives(other))
part.stop()
for one in (child, other, stranger):
    with contextlib.suppress(psutil.NoSuchProcess):
        one.kill()
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make parts that run a shell script."""

    def part(script: str, **changes: object) -> ProcessPart:
        values = {
            "name": "part",
            "command": ["sh", "-c", script],
            "environment": dict(os.environ),
            "folder": tmp_path,
            "log_file": tmp_path / "part.log",
        }
        return ProcessPart(PartSpec(**(values | changes)))

    yield part
    Mark(tmp_path).kill()


def said(part: ProcessPart, text: str) -> None:
    """Wait until a part has written a text."""
    until = time.monotonic() + 30
    while not part.log_file.exists() or text not in part.log_file.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_its_log_is_private_and_goes_on_over_starts(make: Make, tmp_path: Path) -> None:
    part = make("echo in $(pwd); echo trouble >&2")
    for _ in range(2):
        part.start()
        assert part.wait() == 0
    assert part.log_file.read_text() == f"in {tmp_path}\ntrouble\n" * 2
    assert stat.S_IMODE(part.log_file.stat().st_mode) == 0o600


def test_it_ends_when_asked_and_takes_its_children_with_it(make: Make) -> None:
    part = make("sleep 600 & trap 'echo asked; exit' TERM; echo ready; wait")
    part.start()
    said(part, "ready")
    part.stop()
    part.stop()
    assert not part.running
    assert "asked" in part.log_file.read_text()
    assert part.mark.processes() == []


def test_one_that_does_not_listen_is_killed(make: Make) -> None:
    part = make("trap '' TERM; echo ready; while :; do sleep 1; done", stop_seconds=0.1)
    part.start()
    said(part, "ready")
    part.stop()
    assert part.mark.processes() == []


def test_what_a_dead_one_left_is_ended_before_the_next(make: Make) -> None:
    part = make("sleep 600 & echo ready; wait")
    part.start()
    said(part, "ready")
    os.kill(part.pid, 9)
    part.wait()
    (orphan,) = part.mark.processes()
    part.start()
    assert not lives(orphan)
    assert part.running


@pytest.mark.skipif(sys.platform != "linux", reason="processes hide their environment on Linux")
@pytest.mark.parametrize("way", ["stop", "start", "end", "kill"])
def test_what_hides_its_environment_is_ended_too_and_no_stranger(tmp_path: Path, way: str) -> None:
    """As an ordinary user, since root sees everything."""
    if os.geteuid() == 0 and not choose().prefix:
        pytest.skip("needs user namespaces, for root to be an ordinary user")
    ran = subprocess.run(
        [*choose().prefix, sys.executable, "-c", OWNER, str(tmp_path), way, SECRETIVE],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert ran.stdout == "child False other True\n"


def test_what_the_next_one_takes_over_is_left_alone(make: Make) -> None:
    part = make("sleep 600 & echo ready; wait", adopts=True)
    part.start()
    said(part, "ready")
    os.kill(part.pid, 9)
    part.wait()
    (orphan,) = part.mark.processes()
    part.start()
    assert lives(orphan)
    part.stop()
    assert not lives(orphan)


def test_started_twice_it_is_one(make: Make) -> None:
    part = make("sleep 600")
    part.start()
    pid = part.pid
    part.start()
    assert part.pid == pid
