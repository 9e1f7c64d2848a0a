"""When a process was born: what tells it from another one that has its number by now."""

from __future__ import annotations

from pathlib import Path

import psutil

_PROC = Path("/proc")
_BOOT = _PROC / "sys/kernel/random/boot_id"
#: Place of the birth, in ticks since the boot, among what follows on the name in ``/proc/<pid>/stat``.
_START_TIME = 19


def start_mark(pid: int) -> str:
    """Return the birth of a process, to be compared with an earlier answer; raise psutil.Error if it is gone.

    psutil counts on Linux from where the present clock sees the boot, so that its answer changes when the
    clock is set. The kernel's own does not, and means something together with the boot's name only.
    """
    if not _BOOT.exists():
        return f"epoch {psutil.Process(pid).create_time():.2f}"
    try:
        said = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    # A name may hold anything, parentheses and spaces too.
    return f"{_BOOT.read_text().strip()} {said.rpartition(')')[2].split()[_START_TIME]}"
