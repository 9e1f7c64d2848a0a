"""Equal keys are equal at the target, too, or no keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from tests.integration.sources.reads import POSTGRESQL

if TYPE_CHECKING:
    import psycopg

    from airflow_dataloader.loader.sessions.protocol import SourceSession


MADE = """
    CREATE TYPE amount AS (value numeric, currency text);
    CREATE TYPE prices AS RANGE (subtype = numeric, multirange_type_name = many_prices);
    CREATE DOMAIN positive AS numeric CHECK (value > 0);
    CREATE TYPE span AS RANGE (subtype = integer);
    CREATE DOMAIN slug AS text
"""


@pytest.fixture
def session(source_db: psycopg.Connection, session: SourceSession) -> SourceSession:
    """A session at a database that has types of its own."""
    source_db.execute(MADE)
    return session


@pytest.mark.parametrize(
    ("declared", "one", "other"),
    [
        ("interval", "24:00:00", "1 day"),
        ("jsonb", '{"a": 1.0}', '{"a": 1.00}'),
        ("numrange", "[1.0,2]", "[1.00,2]"),
        ("nummultirange", "{[1.0,2]}", "{[1.00,2]}"),
        ("bpchar", "a", "a "),
        ("numeric[]", "{1.0}", "{1.00}"),
        ("interval[]", "{24:00:00}", "{1 day}"),
        ("double precision[]", "{0}", "{-0}"),
        ("amount", "(1.0,x)", "(1.00,x)"),
        ("amount[]", '{"(1.0,x)"}', '{"(1.00,x)"}'),
        ("prices", "[1.0,2]", "[1.00,2]"),
        ("many_prices", "{[1.0,2]}", "{[1.00,2]}"),
        ("positive[]", "{1.0}", "{1.00}"),
    ],
)
def test_a_type_with_several_texts_for_one_value_is_no_key(
    source_db: psycopg.Connection, session: SourceSession, declared: str, one: str, other: str
) -> None:
    relation = f"(SELECT '{one}'::{declared} AS k, '{other}'::{declared} AS o) AS r"
    assert source_db.execute(f"SELECT k = o FROM {relation}").fetchone() == (True,)
    described = session.describe(relation)
    first, second = (column.select for column in POSTGRESQL.plan_columns(described, ValuePolicy.FAIL).columns)
    ((k, o),) = session.query(f"SELECT {first}, {second} FROM {relation}")
    assert k != o
    with pytest.raises(ConfigurationError, match="Key column 'k'"):
        POSTGRESQL.refuse_ambiguous_keys(described, ["K"])


@pytest.mark.parametrize(
    "declared",
    [
        "numeric",
        "integer",
        "text",
        "varchar(3)",
        "char(3)",
        "uuid",
        "bytea",
        "date",
        "time",
        "timetz",
        "slug",
        "slug[]",
        "span",
        "span[]",
    ],
)
def test_other_types_are_keys(session: SourceSession, declared: str) -> None:
    described = session.describe(f"(SELECT NULL::{declared} AS k) AS r")
    POSTGRESQL.refuse_ambiguous_keys(described, ["k"])


@pytest.mark.parametrize(
    "declared",
    [
        "regclass",
        "regcollation",
        "regconfig",
        "regdictionary",
        "regnamespace",
        "regoper",
        "regoperator",
        "regproc",
        "regprocedure",
        "regrole",
        "regtype",
        "regclass[]",
        "named",
        "tables",
    ],
)
def test_a_type_whose_texts_are_names_of_what_it_points_at_is_no_key(
    source_db: psycopg.Connection, session: SourceSession, declared: str
) -> None:
    source_db.execute("CREATE DOMAIN named AS regtype; CREATE TYPE tables AS (at regclass, since date)")
    described = session.describe(f"(SELECT NULL::{declared} AS k) AS r")
    with pytest.raises(ConfigurationError, match=r"Key column 'k'.*renamed") as refusal:
        POSTGRESQL.refuse_ambiguous_keys(described, ["K"])
    assert "::oid::bigint" in str(refusal.value.fix)


def test_a_number_of_what_it_points_at_is_a_key(session: SourceSession) -> None:
    described = session.describe("(SELECT 'pg_class'::regclass::oid::bigint AS k, 1::oid AS o) AS r")
    POSTGRESQL.refuse_ambiguous_keys(described, ["k", "o"])


def test_types_have_their_own_names_where_the_source_quotes_all(
    source_db: psycopg.Connection, open_source: Callable[..., SourceSession]
) -> None:
    source_db.execute("CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('glad')")
    # What the guard knows of the extension's type is its name.
    source_db.execute("CREATE TYPE shop.citext AS ENUM ('a')")
    source_db.execute(f"ALTER DATABASE {source_db.info.dbname} SET quote_all_identifiers = on")
    session = open_source()
    session.open_snapshot()
    mail, mood = session.describe("(SELECT NULL::shop.citext AS mail, NULL::shop.mood AS mood) AS r")
    assert (mail.declared, mood.declared) == ("shop.citext", "shop.mood")
    with pytest.raises(ConfigurationError, match="Key column 'mail'"):
        POSTGRESQL.refuse_ambiguous_keys([mail, mood], ["mail"])


@pytest.mark.parametrize("declared", ["numeric", "numeric(50,9)"])
def test_a_number_as_text_has_one_spelling_as_a_key_and_its_own_elsewhere(
    session: SourceSession, declared: str
) -> None:
    values = "(VALUES ('100'::numeric), ('100.000'), ('0.10'), ('NaN')) AS v(n)"
    relation = f"(SELECT n::{declared} AS k FROM {values}) AS r"
    described = session.describe(relation)

    def texts(keys: tuple[str, ...]) -> list[str]:
        (column,) = POSTGRESQL.plan_columns(described, ValuePolicy.STRING, keys=keys).columns
        assert column.type == "string"
        return [text for (text,) in session.query(f"SELECT {column.select} FROM {relation}")]

    assert texts(("K",)) == ["100", "100", "0.1", "NaN"]
    assert texts(()) == [text for (text,) in session.query(f"SELECT k::text FROM {relation}")]
