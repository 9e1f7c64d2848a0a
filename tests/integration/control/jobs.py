"""A Jobs API in memory: runs that a test moves, and that say so when they are cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_dataloader.core.run_api import Run, RunApiUnavailable, RunState


class Jobs:
    """Implements :class:`airflow_dataloader.core.run_api.RunApi`."""

    def __init__(self, **runs: RunState) -> None:
        self.runs = {run: Run(state=state) for run, state in runs.items()}
        self.cancelled: list[str] = []
        self.asked: list[str] = []
        self.reachable = True
        #: Seconds that it takes to be unreachable.
        self.silence = 0.0
        #: How often it was asked in vain.
        self.vain = 0
        #: Called with the run's id at each cancellation.
        self.on_cancel: Callable[[str], None] = lambda _: None
        #: Cancelled runs end at once; otherwise they go on.
        self.obeys = True

    def state(self, workspace_host: str | None, databricks_run: str) -> Run:
        self._reach()
        self.asked.append(databricks_run)
        return self.runs.get(databricks_run, Run(state=RunState.UNKNOWN))

    def cancel(self, workspace_host: str | None, databricks_run: str) -> None:
        self._reach()
        self.cancelled.append(databricks_run)
        self.on_cancel(databricks_run)
        if self.obeys:
            self.runs[databricks_run] = Run(state=RunState.ENDED, reason="Cancelled.")

    def _reach(self) -> None:
        if not self.reachable:
            self.vain += 1
            time.sleep(self.silence)
            raise RunApiUnavailable("no route")
