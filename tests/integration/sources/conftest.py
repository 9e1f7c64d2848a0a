"""Sessions at a source database of the test's own, opened as a load opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from airflow_dataloader.loader.sessions.registry import open_session
from tests.source_configs import endpoint_of

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.core.plan import Endpoint
    from airflow_dataloader.loader.sessions.protocol import SourceSession


@pytest.fixture
def open_source(source_db: psycopg.Connection) -> Iterator[Callable[..., SourceSession]]:
    """Open sessions at ``source_db``; keywords override the endpoint."""
    opened = []

    def open_one(**overrides: object) -> SourceSession:
        session = open_session(endpoint_of(source_db, **overrides))
        opened.append(session)
        return session

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def login(source_db: psycopg.Connection) -> Iterator[Endpoint]:
    """Somebody who may connect to ``source_db``, and nothing else that not all may."""
    role = f"reader_{uuid4().hex[:8]}"
    source_db.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    yield endpoint_of(source_db, user=role, password="x")
    source_db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
def session(open_source: Callable[..., SourceSession]) -> SourceSession:
    """A session that has its snapshot not yet."""
    return open_source()
