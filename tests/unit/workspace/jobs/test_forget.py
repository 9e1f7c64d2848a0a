"""Runs that are too old to be kept."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.jobs.forget import forget_old
from airflow_dataloader.workspace.jobs.model import Submission, TaskSpec
from airflow_dataloader.workspace.jobs.states import SUCCEEDED
from airflow_dataloader.workspace.jobs.store import RunStore

DAY = 24 * 3600 * 10**9


def test_only_what_ended_long_ago_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = WorkspaceHome.below(tmp_path)
    real = time.time_ns
    with closing(RunStore(home.database)) as store:

        def submit(days_ago: int, *, ends: bool = True) -> int:
            monkeypatch.setattr(time, "time_ns", lambda: real() - days_ago * DAY)
            run_id, _ = store.submit(Submission(name="n", tasks=(TaskSpec(key="t", python_file="/a.py"),)))
            home.run_folder(run_id, run_id + 1).mkdir(parents=True)
            if ends:
                store.end(run_id, SUCCEEDED)
            return run_id

        old, lives, young = submit(61), submit(61, ends=False), submit(59)
        monkeypatch.setattr(time, "time_ns", real)
        forget_old(home, store)
        assert [run.run_id for run in store.page(limit=9, offset=0)] == [young, lives]
    assert [home.logs_of(run_id).exists() for run_id in (old, lives, young)] == [False, True, True]
