"""Names of every kind survive the way to a real server and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ValueRefused
from tests.integration.sources.reads import POSTGRESQL, plan, read

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession

#: Any name that PostgreSQL keeps whole: 1 to 63 bytes, no NUL.
NAMES = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), min_size=1, max_size=63
).filter(lambda name: len(name.encode()) <= 63)

ODD = [
    "select",
    'quo"te',
    "it's",
    "semi;colon -- comment",
    "/* */",
    "back\\slash",
    "line\nbreak",
    "tab\t",
    " ",
    "$1",
    "?",
    ":name",
    "%s",
    "{braces}",
    "naïve ☃ 🙂",
    "MixedCase",
    "ctid2",
    "x" * 63,
    "'); DROP TABLE t; --",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=NAMES, table=NAMES, column=NAMES)
def test_any_name_is_read_from_where_it_says(
    source_db: psycopg.Connection, session: SourceSession, schema: str, table: str, column: str
) -> None:
    if schema.startswith("pg_"):
        schema = "s" + schema[1:]
    _check(source_db, session, schema, table, column)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_read_from_where_it_says(
    source_db: psycopg.Connection, session: SourceSession, name: str
) -> None:
    _check(source_db, session, name, name, name)


def _check(
    source_db: psycopg.Connection, session: SourceSession, schema: str, table: str, column: str
) -> None:
    from psycopg import sql

    names = {"s": sql.Identifier(schema), "t": sql.Identifier(schema, table), "c": sql.Identifier(column)}
    source_db.execute(sql.SQL("CREATE SCHEMA {s}").format(**names))
    try:
        source_db.execute(sql.SQL("CREATE TABLE {t} ({c} date)").format(**names))
        source_db.execute(sql.SQL("INSERT INTO {t} VALUES ('1970-01-02')").format(**names))
        relation = POSTGRESQL.relation(SourceTable(catalog=None, schema=schema, name=table), None)
        planned = plan(session, relation)
        assert [found.source_name for found in planned.columns] == [column]
        assert read(session, planned) == [(1,)]
        assert read(session, plan(session, relation, ValuePolicy.STRING)) == [("1970-01-02",)]
        source_db.execute(sql.SQL("UPDATE {t} SET {c} = 'infinity'").format(**names))
        with pytest.raises(ValueRefused) as refusal:
            read(session, planned)
        assert refusal.value.field == column
    finally:
        source_db.execute(sql.SQL("DROP SCHEMA {s} CASCADE").format(**names))
