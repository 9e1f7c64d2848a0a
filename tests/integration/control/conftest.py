"""Databases for the tests of migrations, and a row for those of its loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from tests.factories import add_source
from tests.integration.control.drive import due_row

HERE = Path(__file__).parent

#: What pgcrypto's digest() returns, for servers that come without pgcrypto.
STAND_IN = """
    CREATE FUNCTION public.digest(text, text) RETURNS bytea LANGUAGE sql IMMUTABLE
    AS $$ SELECT sha256(convert_to($1, 'UTF8')) $$
"""


@pytest.fixture
def old_url(empty_url: str) -> str:
    """URL of a database in the documents' original shape, with data."""
    with psycopg.connect(empty_url) as connection:
        offered = "SELECT FROM pg_available_extensions WHERE name = 'pgcrypto'"
        there = connection.execute(offered).fetchone()
        connection.execute("CREATE EXTENSION pgcrypto" if there is not None else STAND_IN)
        for name in ("documents_schema.sql", "documents_data.sql"):
            connection.execute((HERE / name).read_text(encoding="utf-8").encode())
    return empty_url


@pytest.fixture
def config_id(control: Engine) -> int:
    """A row that is due, of the source ``shop``."""
    add_source(control, "shop")
    return due_row(control)


@pytest.fixture
def said() -> tuple[list[str], Callable[[str], None]]:
    """A list, and a function that a migration may report to."""
    sentences: list[str] = []
    return sentences, sentences.append
