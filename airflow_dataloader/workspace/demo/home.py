"""The demo's folder: what lies where, and that only one demo uses it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_dataloader.workspace.demo.cleanup_watcher import CleanupWatcher
from airflow_dataloader.workspace.demo.marked_processes import Mark
from airflow_dataloader.workspace.folder_lock import locked


@dataclass(frozen=True)
class DemoHome:
    """``DATALOADER_HOME/demo``: the ``DATALOADER_HOME`` of the demo's own workspace."""

    folder: Path

    @classmethod
    def below(cls, home: Path) -> DemoHome:
        """Return the folder of a ``DATALOADER_HOME``, whose jars it shares; made if it is not there."""
        folder = home / "demo"
        # PostgreSQL may run as another user, who has to get through.
        folder.mkdir(parents=True, exist_ok=True)
        jars = folder / "jars"
        if not os.path.lexists(jars):
            jars.symlink_to(Path("..", "jars"))
        return cls(folder.absolute())

    @property
    def postgres(self) -> Path:
        """The PostgreSQL server."""
        return self.folder / "postgres"

    @property
    def password_file(self) -> Path:
        """The PostgreSQL server's password, as libpq reads it."""
        return self.folder / "pgpass"

    @property
    def airflow(self) -> Path:
        """``AIRFLOW_HOME``."""
        return self.folder / "airflow"

    @property
    def warehouse(self) -> Path:
        """The Delta tables."""
        return self.folder / "warehouse"

    @property
    def logs(self) -> Path:
        """What the parts have said, one file each."""
        return self.folder / "logs"

    @property
    def digests(self) -> Path:
        """What the workspace found in the tables."""
        return self.folder / "digests.json"

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder for this process; when it is given back, none of the demo's processes is left.

        Also where this process is killed: another one then keeps the folder until all have ended. Raises
        ConfigurationError if another demo has it.
        """
        with (
            locked(
                self.folder,
                taken=f"Another demo runs in {self.folder}, or is just ending.",
                fix="end that one, wait a minute, or set another DATALOADER_HOME",
            ) as descriptor,
            closing(CleanupWatcher(self.folder, descriptor)),
        ):
            # Somebody may have killed the watch of an earlier demo too.
            Mark(self.folder).kill()
            yield

    def clear(self) -> None:
        """Remove what an earlier demo has loaded, run and said."""
        for folder in (self.warehouse, self.folder / "workspace", self.airflow / "logs", self.logs):
            shutil.rmtree(folder, ignore_errors=True)
        self.logs.mkdir(mode=0o700)
