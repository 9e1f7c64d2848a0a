"""What tells a process from the next one with its number."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from airflow_dataloader.workspace import process_start
from airflow_dataloader.workspace.process_start import start_mark


@pytest.fixture(params=["kernel", "psutil"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where the answer comes from; without /proc it is psutil's."""
    if request.param == "psutil":
        monkeypatch.setattr(process_start, "_BOOT", tmp_path / "gone")
    return str(request.param)


def test_it_stays_the_same_as_long_as_the_process(source: str) -> None:
    first = start_mark(os.getpid())
    time.sleep(0.05)
    assert start_mark(os.getpid()) == first
    assert first.startswith("epoch ") is (source == "psutil" or not Path("/proc").exists())


def test_another_process_has_another(source: str, tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    with subprocess.Popen([str(odd), "600"]) as process:
        assert start_mark(process.pid) != start_mark(os.getpid())
        assert start_mark(process.pid).split()[-1].replace(".", "").isdigit()
        process.kill()


def test_one_that_is_gone_has_none(source: str) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    with pytest.raises(psutil.NoSuchProcess):
        start_mark(process.pid)
