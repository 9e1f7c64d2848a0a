"""A task's process group: started so that a crash of ours loses nothing, and found again after one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from airflow_dataloader.private_file import open_private_log
from airflow_dataloader.workspace.process_start import start_mark

# Reads one word before it begins: we write it when the process is on record. If we die before that, the end
# of its input comes instead, and nothing was run. Afterwards it outlives us, and leaves the exit code behind.
# What the task started and did not end, it ends.
_WRAPPER = """
exit_file=$1; shift
leave() { ( umask 077; echo "$1" > "$exit_file.new" ) && mv "$exit_file.new" "$exit_file"; }
read -r go || { leave unstarted; exit 0; }
trap : TERM INT HUP
"$@" </dev/null
code=$?
trap "" TERM
kill -TERM 0
leave $code
"""
_UNSTARTED = "unstarted"
_EXIT_FILE = "exit-code"
#: How a task is asked to end, and the seconds that it gets. A loader that is interrupted settles its loads
#: and stops what it started at the source; one that is killed cannot.
_ENDS = ((signal.SIGINT, 10.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 30.0))
_POLL_SECONDS = 0.05
#: By what a process of the task is known whose leader is gone: nobody else has it in its environment.
_MARK = "DATALOADER_TASK_FOLDER"


class TaskProcess:
    """The leader of a task's process group, ours by birth or adopted."""

    def __init__(
        self, folder: Path, pid: int, born: str, child: subprocess.Popen[bytes] | None = None
    ) -> None:
        self.folder = folder
        self.pid = pid
        self.born = born
        self._child = child

    @property
    def alive(self) -> bool:
        """Whether it runs; a number that belongs to another process by now does not count."""
        if self._child is not None:
            return self._child.poll() is None
        return self._found() is not None

    @property
    def exit_code(self) -> int | None:
        """What the task ended with, or None if nobody knows: the wrapper was killed with it."""
        text = _exit_text(self.folder)
        return int(text) if text is not None and text != _UNSTARTED else None

    def end(self) -> None:
        """End the whole group, first politely; return when it is gone. Its leader may have gone before it."""
        for number, seconds in _ENDS:
            if not self._lives:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            until = time.monotonic() + seconds
            while self._lives and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)

    @property
    def _lives(self) -> bool:
        """Whether anybody of the group does, so that its number is still ours."""
        return self.alive or any(self._is_left(process) for process in psutil.process_iter())

    def _is_left(self, process: psutil.Process) -> bool:
        try:
            return (
                os.getpgid(process.pid) == self.pid
                and process.environ().get(_MARK) == str(self.folder)
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError):
            return False

    def _found(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            ours = (
                start_mark(self.pid) == self.born
                and str(self.folder / _EXIT_FILE) in process.cmdline()
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return None
        return process if ours else None


def launch(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    record: Callable[[int, str], None],
) -> TaskProcess:
    """Start ``command`` in a group of its own, after ``record`` has its number and birth.

    What it says goes to ``stdout.log`` and ``stderr.log`` in ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / _EXIT_FILE).unlink(missing_ok=True)
    with open_private_log(folder / "stdout.log") as out, open_private_log(folder / "stderr.log") as err:
        child = subprocess.Popen(
            ["/bin/sh", "-c", _WRAPPER, "task", str(folder / _EXIT_FILE), *command],
            cwd=folder,
            env={**environment, _MARK: str(folder)},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    pipe = child.stdin
    assert pipe is not None
    try:
        born = start_mark(child.pid)
        record(child.pid, born)
        pipe.write(b"go\n")
    finally:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
    return TaskProcess(folder, child.pid, born, child)


def was_never_started(folder: Path) -> bool:
    """Whether we died before the task began: it may be started as if nothing had been."""
    return _exit_text(folder) == _UNSTARTED


def _exit_text(folder: Path) -> str | None:
    try:
        return (folder / _EXIT_FILE).read_text().strip()
    except FileNotFoundError:
        return None
