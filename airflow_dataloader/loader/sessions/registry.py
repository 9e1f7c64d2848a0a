"""From an endpoint's ``db_type`` to an open session."""

from __future__ import annotations

from collections.abc import Callable

from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.loader.sessions.postgresql import PostgresqlSession
from airflow_dataloader.loader.sessions.protocol import SourceSession

#: One for each type of source that has a dialect.
SESSIONS: dict[str, Callable[[Endpoint], SourceSession]] = {"postgresql": PostgresqlSession}


def open_session(endpoint: Endpoint) -> SourceSession:
    """Connect to the source; raise one of our errors, naming field and fix, if that fails.

    Its type is one that has a dialect: :func:`airflow_dataloader.sources.registry.dialect_of` refuses others.
    """
    return SESSIONS[endpoint.db_type](endpoint)
