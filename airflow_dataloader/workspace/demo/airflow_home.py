"""An installation of Airflow in a folder of its own: configuration, login, database, and its four processes.

Airflow runs as commands and is never imported here.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_dataloader.exceptions import TransientError
from airflow_dataloader.private_file import write_private
from airflow_dataloader.settings import without_settings
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
from airflow_dataloader.workspace.no_proxy import bypass_proxies

USER = "admin"

#: What an installation writes into its configuration to have the package's DAGs.
BUNDLES = json.dumps(
    [{"name": "dataloader", "classpath": "airflow_dataloader.bundles.DataloaderDagBundle", "kwargs": {}}]
)

#: The components, and what each is started with past its name. Logs are read as files.
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": (),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
    "scheduler": ("--skip-serve-logs",),
}

#: How often a migration whose database went away is tried again.
_MORE_TRIES = 2


@dataclass(frozen=True, kw_only=True)
class AirflowHome:
    """Airflow on a PostgreSQL database, with its page and API on 127.0.0.1."""

    folder: Path
    #: libpq URL of its metadata database.
    database_url: str = field(repr=False)
    port: int
    #: Connections, and settings on top of what every installation of ours has, by Airflow's variables.
    environment: Mapping[str, str] = field(repr=False, default_factory=dict)
    #: Where its components say what they do.
    logs: Path
    _key: str = field(repr=False, default_factory=lambda: secrets.token_hex(32))

    @property
    def address(self) -> str:
        """Address of page and API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """Password of :data:`USER`, made at the first call and kept in this folder."""
        file = self._passwords
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(file, json.dumps({USER: secrets.token_urlsafe(12)}))
        return str(json.loads(file.read_text())[USER])

    def migration(self) -> ProcessPart:
        """Return the process that makes the tables of the database, and ends."""
        return self._part("db-migrate", ("db", "migrate"))

    def migrate(self) -> None:
        """Make the tables of the database; raise TransientError, naming the log, if that fails."""
        migrating = self.migration()
        migrating.start()
        finish(migrating)

    def component(self, name: str) -> ProcessPart:
        """Return one of :data:`COMPONENTS`, not started."""
        return self._part(name, (name, *COMPONENTS[name]))

    def variables(self) -> dict[str, str]:
        """Return the environment of each of its processes."""
        own = without_settings(os.environ)
        kept = {name: value for name, value in own.items() if not name.startswith("AIRFLOW_")}
        return {**kept, **bypass_proxies(kept), **self._settings(), **self.environment}

    @property
    def _passwords(self) -> Path:
        return self.folder / "passwords.json"

    def _settings(self) -> dict[str, str]:
        # What is not set here is as in any installation.
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": self._key,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._key,
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.address}/execution/",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # Each is a process that is there from the beginning.
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": BUNDLES,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.database_url.replace(
                "postgresql://", "postgresql+psycopg2://"
            ),
            # How long a worker may say nothing before its task is tried again.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def _part(self, name: str, words: tuple[str, ...]) -> ProcessPart:
        # Read here, so that the file is there before Airflow would make a password of its own.
        assert self.password
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        return ProcessPart(
            PartSpec(
                name=name,
                # -P: nothing is imported from the folder where it happens to run.
                command=[sys.executable, "-P", "-m", "airflow", *words],
                environment=self.variables(),
                folder=self.folder,
                log_file=self.logs / f"{name}.log",
            )
        )


def finish(migrating: ProcessPart, anew: Callable[[], None] | None = None) -> None:
    """Return when a process has ended well; raise TransientError, naming its log, if it has not.

    It is tried twice more if ``anew`` can empty its database: one that went away under it is half made.
    """
    code, left = migrating.wait(), _MORE_TRIES
    while code != 0 and anew is not None and left > 0:
        left -= 1
        anew()
        migrating.start()
        code = migrating.wait()
    if code != 0:
        raise TransientError(
            f"The {migrating.name} failed with exit code {code}.", fix=f"see {migrating.log_file}"
        )
