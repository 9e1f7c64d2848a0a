"""How many cores a Spark of ours may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that this process may run on, where the machine tells (macOS does not), else all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
