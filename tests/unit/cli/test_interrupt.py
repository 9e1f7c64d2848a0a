"""Ctrl-C and SIGTERM, in a process of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SWALLOWS = """
import os, signal, sys
from airflow_dataloader.cli import interrupt
assert not interrupt.is_listening()
interrupt.listen()
assert interrupt.is_listening()
interrupt.check()
try:
    os.kill(os.getpid(), signal.{name})
    signal.pause()
except KeyboardInterrupt:
    pass  # as a library may do
try:
    interrupt.check()
except KeyboardInterrupt:
    sys.exit(42)
"""


@pytest.mark.parametrize("name", [signal.SIGINT.name, signal.SIGTERM.name])
def test_an_interrupt_that_a_library_swallowed_still_counts(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", SWALLOWS.format(name=name)], check=False, timeout=60)
    assert done.returncode == 42
