"""Ends what carries our mark when our process has gone, however it went: by a crash or by SIGKILL too.

``python -m airflow_dataloader.workspace.demo.cleanup_watcher <folder>`` is the process that stays for it.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from airflow_dataloader.workspace.demo.marked_processes import Mark

#: What the marked processes get to end by themselves: a workspace first ends its runs.
_SECONDS = 30.0
_LEAVE_SECONDS = 2 * _SECONDS


class CleanupWatcher:
    """A process that waits for our end, then ends all that carries the mark of ``folder``.

    It holds ``lock`` open too, so that a lock on that file lasts until everything has ended.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(folder)],
            # Only we hold the other end.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock,),
        )

    def close(self) -> None:
        """Have it end what is left now, and return when nothing is."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LEAVE_SECONDS)


def main() -> None:
    """Wait for the end of standard input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    Mark(Path(sys.argv[1])).end(_SECONDS)


if __name__ == "__main__":
    main()
