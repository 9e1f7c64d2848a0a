"""Whatever ends the demo, something is left to end what it started."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dataloader.workspace.demo.cleanup_watcher import CleanupWatcher
from airflow_dataloader.workspace.demo.marked_processes import Mark

PATIENCE = 60.0

#: Holds a lock, sets a watch, starts a marked process that is deaf to SIGTERM for a moment, and stays.
OWNER = """
import fcntl, os, subprocess, sys, time
from pathlib import Path
from airflow_dataloader.workspace.demo.cleanup_watcher import CleanupWatcher
from airflow_dataloader.workspace.demo.marked_processes import Mark
folder = Path(sys.argv[1])
lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
watch = CleanupWatcher(folder, lock)
subprocess.Popen(["sh", "-c", "trap 'sleep 1; exit' TERM; while :; do sleep 0.1; done"],
                 env={**os.environ, **Mark(folder, "part").environment()})
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    Mark(tmp_path).kill()


def is_locked(path: Path) -> bool:
    with path.open("a+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def test_a_kill_of_the_owner_ends_what_it_started_and_gives_its_lock_back_then(
    owner: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert len(Mark(tmp_path, "part").processes()) >= 1
    owner.kill()
    owner.wait()
    until = time.monotonic() + PATIENCE
    while is_locked(tmp_path / "lock"):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert Mark(tmp_path).processes() == []


def test_closed_it_ends_what_is_left_before_it_returns(tmp_path: Path) -> None:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    watch = CleanupWatcher(tmp_path, lock)
    with subprocess.Popen(["sleep", "600"], env={**os.environ, **Mark(tmp_path).environment()}) as left:
        watch.close()
        assert left.wait(PATIENCE) != 0
    os.close(lock)
