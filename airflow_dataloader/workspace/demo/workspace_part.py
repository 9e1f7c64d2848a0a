"""The local workspace as a part of the demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_dataloader.settings import without_settings
from airflow_dataloader.workspace.demo.part import PartSpec, ProcessPart
from airflow_dataloader.workspace.demo.workspace_client import WorkspaceClient
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.no_proxy import bypass_proxies
from airflow_dataloader.workspace.secret_store import SecretFile
from airflow_dataloader.workspace.tokens import owner_token

#: It ends its runs first, and those get ten seconds to settle.
_STOP_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class LocalWorkspace:
    """``dataloader workspace`` in a home of its own, on a port of its own."""

    #: Its ``DATALOADER_HOME``.
    folder: Path
    port: int
    #: The control database of its runs.
    control_url: str = field(repr=False)
    logs: Path

    @property
    def client(self) -> WorkspaceClient:
        """What asks it, as its owner."""
        token = owner_token(self._home.owner_token)
        return WorkspaceClient(url=f"http://127.0.0.1:{self.port}", token=token)

    @property
    def secrets(self) -> SecretFile:
        """Its secret scopes."""
        return SecretFile(self._home.secrets)

    def part(self) -> ProcessPart:
        """Return its process, not started."""
        words = ("workspace", "--port", str(self.port))
        return ProcessPart(
            PartSpec(
                name="workspace",
                command=[sys.executable, "-P", "-m", "airflow_dataloader", *words],
                environment=self._variables(os.environ),
                folder=self.folder,
                log_file=self.logs / "workspace.log",
                stop_seconds=_STOP_SECONDS,
                # Its runs outlive it, and the next one of its home goes on with them.
                adopts=True,
            )
        )

    @property
    def _home(self) -> WorkspaceHome:
        return WorkspaceHome.below(self.folder)

    def _variables(self, base: Mapping[str, str]) -> dict[str, str]:
        return {
            **without_settings(base),
            **bypass_proxies(base),
            "AIRFLOW__DATALOADER__HOME": str(self.folder),
            "DATALOADER_HOME": str(self.folder),
            "DATALOADER_CONTROL_URL": self.control_url,
        }
