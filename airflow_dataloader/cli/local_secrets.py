"""Where a command that loads in its own process finds the logins of sources."""

from __future__ import annotations

from airflow_dataloader.loader.secrets import SecretChain, default_secrets
from airflow_dataloader.settings import Settings
from airflow_dataloader.workspace.home import WorkspaceHome
from airflow_dataloader.workspace.secret_store import SecretFile


def local_secrets(settings: Settings) -> SecretChain:
    """Return what any loader asks, and then the local workspace's store, whether it runs or not."""
    return SecretChain(default_secrets(), SecretFile(WorkspaceHome(settings.home / "workspace").secrets))
