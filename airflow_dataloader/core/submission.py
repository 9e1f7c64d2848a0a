"""What Airflow sends to the Jobs API for one run: ids only, never configuration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from airflow_dataloader.defaults import LOADER_PATH

#: Path of the loader's task file below the folder that holds the loader.
TASK_FILE = "spark_tasks/load_table.py"
#: That of maintenance.
MAINTAIN_FILE = "spark_tasks/maintain_tables.py"

#: Begins the parameter that says whose loads a run's are: of which control database.
INSTALLATION_OPTION = "--installation="

#: The Jobs API accepts no longer token.
LONGEST_TOKEN = 64

_ENVIRONMENT_KEY = "dataloader"

#: What ``[dataloader] cluster`` may say of the run itself; the rest is about its task.
_OF_RUN = frozenset({"budget_policy_id", "usage_policy_id", "performance_target", "access_control_list"})


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One load as a run of its own."""

    installation: str
    metadata_id: int
    epoch: int
    #: Makes the Jobs API start one run for this load, however often it is asked to; :func:`submit_token`.
    token: str
    #: Ends the run, by the Jobs API itself.
    max_runtime_minutes: int
    #: Folder in the workspace that holds ``airflow_dataloader/`` and ``spark_tasks/``.
    loader_path: str = LOADER_PATH
    #: ``[dataloader] cluster``; None: the workspace's own default.
    cluster: Mapping[str, Any] | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """Return the body of ``runs/submit``."""
        payload = run_payload(
            f"dataloader load {self.metadata_id}",
            TASK_FILE,
            [f"{self.metadata_id}:{self.epoch}", f"{INSTALLATION_OPTION}{self.installation}"],
            timeout=timedelta(minutes=self.max_runtime_minutes),
            loader_path=self.loader_path,
            cluster=self.cluster,
        )
        return {**payload, "idempotency_token": self.token}


def run_payload(
    name: str,
    file: str,
    parameters: Sequence[str],
    *,
    timeout: timedelta,
    loader_path: str,
    cluster: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the body of ``runs/submit`` for one run of a task file below ``loader_path``."""
    chosen = dict(cluster or {})
    of_run = {key: chosen.pop(key) for key in _OF_RUN & chosen.keys()}
    task: dict[str, Any] = {
        "task_key": PurePosixPath(file).stem.partition("_")[0],
        "spark_python_task": {
            "python_file": f"{loader_path.rstrip('/')}/{file}",
            "parameters": list(parameters),
        },
    }
    if (environment := chosen.pop("environment", None)) is not None:
        task["environment_key"] = _ENVIRONMENT_KEY
        of_run["environments"] = [{"environment_key": _ENVIRONMENT_KEY, "spec": environment}]
    return {
        "run_name": name,
        "timeout_seconds": timeout // timedelta(seconds=1),
        "queue": {"enabled": True},
        "tasks": [task | chosen],
        **of_run,
    }


def submit_token(installation: str, metadata_id: int, epoch: int, claimed_at: str) -> str:
    """Return the idempotency token of a load: no two loads share one, nor two control databases.

    A database that was restored from a backup gives the ids and epochs of lost loads out again, and so does a
    copy of one. The Jobs API would answer with the run that it remembers; the time of the claim is another.
    """
    database = f"adl-{installation.replace('-', '')}-"
    mark = hashlib.sha256(claimed_at.encode()).hexdigest()[:8]
    token = f"{database}{metadata_id}-{epoch}-{mark}"
    if len(token) <= LONGEST_TOKEN:
        return token
    # An epoch may have been advanced as far as 2 ** 42.
    return database + hashlib.sha256(token.encode()).hexdigest()[: LONGEST_TOKEN - len(database)]
