"""Ctrl-C and SIGTERM, in a process of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SWALLOWS = """
import os, signal, sys
from airflow_dataloader.loader import interrupt
interrupt.listen()
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
LIBRARY = """
import signal, threading
from airflow_dataloader.loader import interrupt
before = signal.getsignal(signal.SIGINT)
interrupt.listen_again()
elsewhere = threading.Thread(target=interrupt.listen)
elsewhere.start()
elsewhere.join()
assert signal.getsignal(signal.SIGINT) is before
interrupt.listen()
ours = signal.getsignal(signal.SIGINT)
signal.signal(signal.SIGINT, before)  # as Spark does
interrupt.listen_again()
assert signal.getsignal(signal.SIGINT) is ours is not before
"""


@pytest.mark.parametrize("name", [signal.SIGINT.name, signal.SIGTERM.name])
def test_an_interrupt_that_a_library_swallowed_still_counts(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", SWALLOWS.format(name=name)], check=False, timeout=60)
    assert done.returncode == 42


def test_only_who_listened_listens_again_and_only_the_main_thread_listens() -> None:
    subprocess.run([sys.executable, "-c", LIBRARY], check=True, timeout=60)
