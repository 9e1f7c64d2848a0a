"""Ending a server when the process that started it is gone, however it went."""

from __future__ import annotations

import subprocess
from pathlib import Path

# Waits for the end of its standard input, which only our process holds open. The pid file is looked at once
# more, so that a number which the system has given to another process meanwhile is left alone; a server that
# has just been started writes it some moments later.
_LOOKS = 50
_SCRIPT = """
while read -r _; do :; done
looks=$3
while [ "$looks" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
    owner=
    read -r owner 2>/dev/null < "$2"
    if [ "$owner" = "$1" ]; then
        kill -INT "$1"
        exit
    fi
    looks=$((looks - 1))
    sleep 0.1
done
"""


class ParentWatch:
    """Sends SIGINT to a server as soon as our process has ended, by a crash or by SIGKILL too.

    ``PR_SET_PDEATHSIG`` would do without a process, but it fires when the *thread* that started the server
    ends, and a server outlives threads.
    """

    def __init__(self, pid: int, pid_file: Path) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "end-with-parent", str(pid), str(pid_file), str(_LOOKS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def cancel(self) -> None:
        """Watch no longer, and leave the server alone."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            self._shell.stdin.close()
