"""From a row's configuration, which holds names of secrets, to an open session at its source."""

from __future__ import annotations

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.loader.endpoint import resolve_endpoint
from airflow_dataloader.loader.secrets import SecretChain
from airflow_dataloader.loader.sessions.protocol import SourceSession
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.dialect import Dialect
from airflow_dataloader.sources.registry import dialect_of


def connect_source(
    config: LoadConfig, secrets: SecretChain, *, application_name: str
) -> tuple[Dialect, SourceSession]:
    """Connect under this name; return the source's dialect, and the session, which the caller closes.

    Raises one of our errors, naming field and fix, where the type cannot be loaded, a secret is missing or
    the source refuses.
    """
    # First: a type that cannot be loaded yet may need other secrets.
    dialect = dialect_of(config.db_type)
    return dialect, open_session(resolve_endpoint(config, secrets, application_name=application_name))
