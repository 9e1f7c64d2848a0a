"""The workspace's folder: what lies where, and that only one process uses it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.private_file import write_private
from airflow_dataloader.workspace.folder_lock import locked

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkspaceHome:
    """``DATALOADER_HOME/workspace``; nobody but its owner may enter it."""

    folder: Path

    @classmethod
    def below(cls, home: Path) -> WorkspaceHome:
        """Return the folder of a ``DATALOADER_HOME``, made if it is not there, and closed if it is open.

        Where its file system keeps no modes, it stays open, and a warning says so.
        Raises ConfigurationError if it is another user's.
        """
        folder = home / "workspace"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            raise ConfigurationError(
                f"{folder} belongs to another user, who could read the secrets in it.",
                field="DATALOADER_HOME",
                fix="set another DATALOADER_HOME",
            )
        if found.st_mode & 0o077:
            _close(folder)
        return cls(folder)

    @property
    def database(self) -> Path:
        """SQLite database of the runs."""
        return self.folder / "runs.db"

    @property
    def owner_token(self) -> Path:
        """Token of the owner, which may do everything."""
        return self.folder / "token"

    @property
    def secrets(self) -> Path:
        """The secret scopes."""
        return self.folder / "secrets.json"

    @property
    def address(self) -> Path:
        """Where the workspace listens; it stays, so that the next one takes the same port."""
        return self.folder / "workspace.json"

    @property
    def files(self) -> Path:
        """What ``/Workspace`` is to a run."""
        return self.folder / "files"

    @property
    def spark_log(self) -> Path:
        """What the Spark server had to say."""
        return self.folder / "spark.log"

    @property
    def spark_server(self) -> Path:
        """Process of the Spark server, for whoever finds it left over."""
        return self.folder / "spark.json"

    @property
    def scratch(self) -> Path:
        """What a Spark server keeps while it runs."""
        return self.folder / "scratch"

    def logs_of(self, run_id: int) -> Path:
        """Return the folder of a run's logs."""
        return self.folder / "runs" / str(run_id)

    def run_folder(self, run_id: int, task_run_id: int) -> Path:
        """Return the folder of a task's logs."""
        return self.logs_of(run_id) / str(task_run_id)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder for this process; raise ConfigurationError if another one does."""
        with locked(
            self.folder,
            taken=f"Another workspace runs in {self.folder}.",
            fix="use that one, end it, or set another DATALOADER_HOME",
        ):
            yield

    def publish(self, url: str) -> None:
        """Write the address to where other processes look for it."""
        write_private(self.address, json.dumps({"url": url, "pid": os.getpid()}) + "\n")

    def last_url(self) -> str | None:
        """Return the address of this workspace, or of the last one that ran here."""
        try:
            found = json.loads(self.address.read_text())
        except (OSError, ValueError, RecursionError):
            return None
        url = found.get("url") if isinstance(found, dict) else None
        return url if isinstance(url, str) else None


def _close(folder: Path) -> None:
    try:
        folder.chmod(0o700)
    except OSError as error:
        # It is ours, so this is its file system, whose modes are those that it was mounted with: FAT, CIFS.
        log.warning(
            "Other users may enter %s, where secrets are kept, and it cannot be closed: %s. "
            "Mount it for one user only, or set another DATALOADER_HOME.",
            folder,
            error.strerror,
        )
