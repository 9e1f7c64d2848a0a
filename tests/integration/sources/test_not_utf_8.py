"""Texts that are not UTF-8: each ends a load with one sentence, and none with a traceback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from airflow_dataloader.core.failure import Failure, Phase
from airflow_dataloader.exceptions import ValueRefused
from airflow_dataloader.loader.sessions.registry import open_session
from airflow_dataloader.sources.model import ErrorContext
from airflow_dataloader.sources.postgresql.errors import undecodable
from tests.integration.sources.reads import POSTGRESQL, plan, read
from tests.source_configs import config, endpoint, endpoint_of

if TYPE_CHECKING:
    from airflow_dataloader.loader.sessions.protocol import SourceSession
    from tests.conftest import Server

PAGE = Path(__file__).parents[3] / "docs" / "types.md"


@pytest.fixture
def ascii_db(postgres: Server) -> Iterator[psycopg.Connection]:
    """A source database that takes any bytes for text, with a table that holds some of LATIN1."""
    name = f"ascii_{uuid4().hex}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT E'M\\374ller \\\\ Co'::text AS name")
        yield connection
    postgres.drop(name)


@pytest.mark.parametrize("relation", ['"public"."t"', "(SELECT name FROM t) AS q"])
def test_text_that_is_not_utf_8_is_refused_with_the_way_out(
    ascii_db: psycopg.Connection, relation: str
) -> None:
    with closing(open_session(endpoint_of(ascii_db))) as session:
        session.hold(relation)
        session.open_snapshot()
        session.describe(relation)
        with pytest.raises(ValueRefused) as refusal:
            session.query(f"SELECT name FROM {relation}")
        failure = Failure.of(refusal.value, Phase.PLAN)
        assert ('"public"."t"' in failure.message) is relation.startswith('"')
        assert (failure.error, failure.field, failure.transient) == ("ValueRefused", "query", False)
    offered = re.search(r"such as (.*) AS name", failure.sentence)
    assert offered is not None
    # As a row that has taken the advice is read.
    row = config(query=f"SELECT {offered.group(1)} AS name FROM t")
    with closing(open_session(endpoint_of(ascii_db))) as session:
        mended = plan(session, POSTGRESQL.relation(row.source, row.query))
        assert read(session, mended) == [("Müller \\ Co",)]


def test_the_way_out_that_the_documents_name_is_the_same() -> None:
    named = re.search(r"`(convert_from\(.* AS name)`", PAGE.read_text())
    assert named is not None
    assert named.group(1) in str(undecodable(ErrorContext(endpoint=endpoint())))


def test_a_column_s_name_that_is_not_utf_8_is_refused(ascii_db: psycopg.Connection) -> None:
    ascii_db.execute("DO $$ BEGIN EXECUTE E'ALTER TABLE t RENAME name TO \"n\\344me\"'; END $$")
    with closing(open_session(endpoint_of(ascii_db))) as session, pytest.raises(ValueRefused, match="UTF-8"):
        session.describe('"public"."t"')


def test_bytes_that_a_database_should_not_have_are_refused_as_well(
    source_db: psycopg.Connection, session: SourceSession
) -> None:
    source_db.execute("CREATE CAST (bytea AS text) WITHOUT FUNCTION")
    source_db.execute(r"CREATE TABLE t AS SELECT CAST('\xfc'::bytea AS text) AS name")
    with pytest.raises(ValueRefused, match="UTF-8"):
        session.query("SELECT name FROM t")


def test_a_byte_that_its_encoding_leaves_without_a_meaning_is_named(postgres: Server) -> None:
    name = f"windows_{uuid4().hex}"
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING 'WIN1252' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute(r"CREATE TABLE t AS SELECT E'a\x81b'::text AS name")
        with closing(open_session(endpoint_of(connection))) as session:
            session.hold('"public"."t"')
            with pytest.raises(ValueRefused, match=r"a byte \(0x81\) that means no character") as refusal:
                session.query('SELECT name FROM "public"."t"')
    assert refusal.value.field == "query"
    assert '"public"."t"' in refusal.value.message
    postgres.drop(name)


def test_it_is_no_matter_of_the_watermark(ascii_db: psycopg.Connection) -> None:
    with closing(open_session(endpoint_of(ascii_db))) as session:
        described = session.describe("t")
        row = config(incremental_column="name")
        columns = POSTGRESQL.plan_columns(described, row.value_policy, ("name",)).columns
        cursor = POSTGRESQL.cursor(described, columns, row)
        with pytest.raises(ValueRefused, match="UTF-8"):
            POSTGRESQL.freeze(session.query, "t", cursor, "A")
