"""What texts of a type depend on beside its name, as PostgreSQL tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.sources.reads import POSTGRESQL

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

TYPES = """
    CREATE TYPE mood AS ENUM ('glad', 'żal');
    CREATE DOMAIN felt AS mood;
    CREATE TYPE pair AS (gone int, a numeric(10,2), b felt, c varchar(10));
    ALTER TYPE pair DROP ATTRIBUTE gone;
"""


@pytest.fixture
def table(source_db: psycopg.Connection) -> psycopg.Connection:
    source_db.execute(TYPES)
    source_db.execute("CREATE TABLE t (id int, e mood, d felt, es mood[], p pair, ps pair[])")
    return source_db


def spellings(session: SourceSession) -> dict[str, str]:
    return {column.name: POSTGRESQL.key_spelling(column, whole=True) for column in session.describe("t")}


@pytest.mark.parametrize(
    ("change", "others"),
    [
        ("ALTER TYPE mood ADD VALUE 'sad'", set()),
        ("ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'", {"e", "d", "es", "p", "ps"}),
        ("ALTER TYPE pair ADD ATTRIBUTE x int", {"p", "ps"}),
        # JSON has the names of an array's fields, a composite's own text has none.
        ("ALTER TYPE pair RENAME ATTRIBUTE a TO x", {"ps"}),
    ],
)
def test_a_type_that_is_another_by_the_same_name_is_told_apart(
    table: psycopg.Connection, session: SourceSession, change: str, others: set[str]
) -> None:
    before = spellings(session)
    assert set(before) == {"id", "e", "d", "es", "p", "ps"}
    assert "\x1f" not in before["id"]
    table.execute(change)
    now = spellings(session)
    assert {name for name in now if not POSTGRESQL.keeps_texts(before[name], now[name])} == others
