"""The local workspace's Jobs API, as far as the demo asks it itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from airflow_dataloader.exceptions import EngineFailed, TransientError

_SECONDS = 60.0
_ENDED = "TERMINATED"


@dataclass(frozen=True, kw_only=True)
class WorkspaceClient:
    """Asks the workspace at ``url`` with its owner's token."""

    url: str
    token: str = field(repr=False)

    def run(self, name: str, script: Path, parameters: Sequence[str], wait: Callable[[], None]) -> None:
        """Run a Python file in the workspace and return when it has succeeded.

        ``wait`` is called between two looks. A workspace that is away or out of order for a while is waited
        for. Raises EngineFailed with the run's own words if it does not succeed, TransientError at a refusal.
        """
        task = {"python_file": str(script), "parameters": list(parameters)}
        body = {
            "run_name": name,
            "tasks": [{"task_key": "task", "spark_python_task": task}],
            # Asked again after an answer that got lost, it names the same run.
            "idempotency_token": uuid4().hex,
        }
        run_id = self._insist("POST", "/api/2.2/jobs/runs/submit", wait, json=body)["run_id"]
        while True:
            run = self._insist("GET", "/api/2.2/jobs/runs/get", wait, params={"run_id": run_id})
            if run["status"]["state"] == _ENDED:
                break
            wait()
        if run["state"].get("result_state") != "SUCCESS":
            raise EngineFailed(f"Run {name!r} of the workspace failed: {run['state'].get('state_message')}")

    def _insist(self, method: str, path: str, wait: Callable[[], None], **what: Any) -> dict[str, Any]:
        while True:
            try:
                return self._ask(method, path, **what)
            except httpx.HTTPError:
                wait()

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=_SECONDS, trust_env=False) as http:
            answer = http.request(method, path, **what)
        if answer.is_server_error:
            answer.raise_for_status()
        if not answer.is_success:
            raise TransientError(
                f"The workspace refuses {method} {path} ({answer.status_code}): {answer.text[:300]}"
            )
        return dict(answer.json())
