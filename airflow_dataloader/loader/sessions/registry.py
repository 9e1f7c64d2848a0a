"""From an endpoint's ``db_type`` to an open session."""

from __future__ import annotations

from collections.abc import Callable

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.protocol import SourceSession

_SESSIONS: dict[str, Callable[[Endpoint], SourceSession]] = {"postgresql": PostgresqlSession}


def open_session(endpoint: Endpoint) -> SourceSession:
    """Connect to the source; raise one of our errors, naming field and fix, if that fails."""
    opener = _SESSIONS.get(endpoint.db_type)
    if opener is None:
        raise ConfigurationError(
            f"Sources of type {endpoint.db_type!r} cannot be loaded by this version.",
            field="db_type",
            fix=f"use {' or '.join(sorted(_SESSIONS))}, or install a version that loads {endpoint.db_type}",
        )
    return opener(endpoint)
