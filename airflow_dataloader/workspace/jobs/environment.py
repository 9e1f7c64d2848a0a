"""What a task's process is given: where it finds things, and nothing that is the workspace's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from airflow_dataloader import resources

#: Whatever steers Databricks' or Airflow's own libraries would lead a task astray, and holds logins.
_DROPPED = ("DATABRICKS_", "AIRFLOW_", "SPARK_CONNECT_", "PYTHON")
_KEPT = ("AIRFLOW__DATALOADER__",)

_WORKSPACE = "/Workspace/"
_TASKS = "spark_tasks"


@dataclass(frozen=True, kw_only=True)
class TaskPlace:
    """Where one task runs and what it may ask."""

    run_id: int
    #: ``DATALOADER_HOME``.
    home: Path
    #: Address of the workspace, and the task's own token for it.
    url: str
    token: str = field(repr=False)
    #: ``SPARK_REMOTE`` with the task's own session.
    spark_remote: str = field(repr=False)


def task_environment(base: Mapping[str, str], place: TaskPlace) -> dict[str, str]:
    """Return the environment of a task's process: ``base`` without what is not for it, and its place."""
    kept = {
        name: value for name, value in base.items() if name.startswith(_KEPT) or not name.startswith(_DROPPED)
    }
    return kept | {
        "DATALOADER_HOME": str(place.home),
        "AIRFLOW__DATALOADER__HOME": str(place.home),
        "DATALOADER_RUN_ID": str(place.run_id),
        "DATALOADER_WORKSPACE_HOST": urlsplit(place.url).netloc,
        "DATABRICKS_HOST": place.url,
        "DATABRICKS_TOKEN": place.token,
        "SPARK_REMOTE": place.spark_remote,
        # A log is read while the task still runs.
        "PYTHONUNBUFFERED": "1",
        # It is read as UTF-8, and a name that this has no letter for must not end a load.
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }


def find_python_file(path: str, files: Path) -> Path | None:
    """Return the file that a task names, or None if there is none.

    ``/Workspace/…`` lies below ``files``; what is not there and ends in ``spark_tasks/<name>`` is the task
    file of the installed package. Any other path is one of this machine.
    """
    if not path.startswith(_WORKSPACE):
        return Path(path) if Path(path).is_file() else None
    root = files.resolve()
    found = (root / path.removeprefix(_WORKSPACE)).resolve()
    if found.is_file() and found.is_relative_to(root):
        return found
    *_, folder, name = path.split("/")
    ours = resources.spark_tasks_folder() / name
    return ours if folder == _TASKS and ours.is_file() else None
