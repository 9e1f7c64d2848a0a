"""The cores of a Spark of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_dataloader.loader.engines.spark.cores import usable_cores
from airflow_dataloader.loader.engines.spark.session import EngineSettings


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this machine does not tell")
def test_they_are_those_that_the_process_may_run_on() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_where_nobody_tells_they_are_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert EngineSettings(home=Path("/h")).cores == usable_cores() == os.cpu_count()
