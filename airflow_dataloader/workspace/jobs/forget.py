"""Forgets runs and their logs when they are older than Databricks keeps them."""

from __future__ import annotations

import shutil
import time

from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.jobs.store import RunStore

_KEPT_DAYS = 60


def forget_old(home: WorkspaceHome, store: RunStore) -> None:
    """Forget what ended more than 60 days ago."""
    now = time.time_ns() // 1_000_000
    for run_id in store.ended_before(now - _KEPT_DAYS * 24 * 3600 * 1000):
        shutil.rmtree(home.logs_of(run_id), ignore_errors=True)
        store.forget(run_id)
