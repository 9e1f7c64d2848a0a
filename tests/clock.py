"""A clock that somebody sets while processes run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest

_HOURS = 3 * 3600


def set_clock(monkeypatch: pytest.MonkeyPatch, proc: Path, *pids: int) -> None:
    """Show psutil the processes as the kernel does when the clock was put forward by hours.

    The kernel counts a birth from the boot on, and says when the boot was by the clock as it is now.
    """
    if not Path("/proc/stat").exists():
        pytest.skip("needs /proc")
    proc.mkdir()
    stat = Path("/proc/stat").read_text()
    (proc / "stat").write_text(re.sub(r"btime (\d+)", lambda at: f"btime {int(at[1]) + _HOURS}", stat))
    for pid in (os.getpid(), *pids):
        (proc / str(pid)).symlink_to(f"/proc/{pid}")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))
