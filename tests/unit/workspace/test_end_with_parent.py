from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_dataloader.workspace import end_with_parent
from airflow_dataloader.workspace.end_with_parent import ParentWatch
from tests.waiting import PATIENCE


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that a SIGINT ends, and nothing else within the test."""
    # Whoever started the tests in the background made them deaf to it, and their children too.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(["sleep", "600"]) as process:
        signal.signal(signal.SIGINT, before)
        yield process
        process.kill()


def pid_file(folder: Path, text: str) -> Path:
    path = folder / "postmaster.pid"
    path.write_text(text)
    return path


def end_of_parent(watch: ParentWatch) -> None:
    """Close what only the watch's parent holds open, as its end would."""
    assert watch._shell.stdin is not None
    watch._shell.stdin.close()
    assert watch._shell.wait(PATIENCE) is not None


def test_the_end_of_the_parent_interrupts_the_server(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    end_of_parent(ParentWatch(server.pid, pid_file(tmp_path, f"{server.pid}\n/data\n")))
    assert server.wait(PATIENCE) != 0


def test_a_server_that_has_just_been_started_is_interrupted(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """Its parent has ended before it wrote its number, where another server's may stand."""
    watch = ParentWatch(server.pid, pid_file(tmp_path, "1\n"))
    assert watch._shell.stdin is not None
    watch._shell.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        watch._shell.wait(0.5)
    pid_file(tmp_path, f"{server.pid}\n")
    assert server.wait(PATIENCE) != 0


@pytest.mark.parametrize("text", ["1\n", ""])
def test_a_number_that_the_pid_file_does_not_name_is_left_alone(
    server: subprocess.Popen[bytes], tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(end_with_parent, "_LOOKS", 3)
    end_of_parent(ParentWatch(server.pid, pid_file(tmp_path, text)))
    assert server.poll() is None


def test_a_cancelled_watch_leaves_the_server_alone_and_no_process(
    server: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    watch = ParentWatch(server.pid, pid_file(tmp_path, f"{server.pid}\n"))
    watch.cancel()
    assert server.poll() is None
    with pytest.raises(ProcessLookupError):
        os.kill(watch._shell.pid, 0)
