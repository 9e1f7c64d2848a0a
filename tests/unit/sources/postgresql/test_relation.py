"""What a row may read."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.config import SourceTable
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.relation import checked_query, relation

NOTHING = SourceTable(catalog=None, schema=None, name=None)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SourceTable(catalog=None, schema="public", name="orders"), '"public"."orders"'),
        (SourceTable(catalog=None, schema=None, name="orders"), '"orders"'),
        (SourceTable(catalog="shop", schema="public", name="orders"), '"shop"."public"."orders"'),
        (SourceTable(catalog=None, schema='a"b', name="x; DROP TABLE y --"), '"a""b"."x; DROP TABLE y --"'),
    ],
)
def test_a_table_is_quoted_part_by_part(source: SourceTable, expected: str) -> None:
    assert relation(source, None) == expected


def test_a_catalog_without_a_schema_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="the catalog 'sales'") as refused:
        relation(SourceTable(catalog="sales", schema=None, name="orders"), None)
    assert refused.value.field == "source_table_schema"


def test_a_row_without_table_and_query_is_refused() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        relation(NOTHING, None)
    assert refusal.value.field == "source_table_name"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS id",
        "select * from orders o join lines l using (id) where o.at > now() - interval '3 days'",
        "WITH recent AS (SELECT * FROM orders) SELECT * FROM recent",
        "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 2) TABLE n",
        "SELECT id FROM a UNION ALL SELECT id FROM b",
        "(SELECT id FROM a)",
        "SELECT data->>'a' AS a, tags[1] AS first, data ? 'key' AS has FROM events",
        "SELECT DISTINCT ON (id) id, at FROM t ORDER BY id, at DESC",
        "SELECT 'update' AS word, \"delete\" FROM t -- and a comment",
        "SELECT $$;$$ AS semicolon",
        "SELECT convert(data, 'LATIN1', 'UTF8') AS data FROM t",
        "SELECT count(*) FILTER (WHERE a) OVER (PARTITION BY b) FROM t",
    ],
)
def test_a_select_is_taken_as_it_is_written(query: str) -> None:
    assert checked_query(query) == query
    assert relation(NOTHING, query) == f"({query}\n) AS q"


@pytest.mark.parametrize(
    "tail", [";", " ; ", ";;\n", "\n;\n", "; -- note", ";\n/* a; b */ ;", " -- über;\n;"]
)
@pytest.mark.parametrize("start", ["SELECT 1", "SELECT ';' AS \"😀;\", $$;$$"])
def test_semicolons_at_the_end_are_tolerated(start: str, tail: str) -> None:
    kept = " -- über;" if "über" in tail else ""
    assert checked_query(start + tail) == start + kept


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("SELECT 1; SELECT 2", "holds 2 statements"),
        ("SELECT 1; DROP TABLE t", "holds 2 statements"),
        ("", "holds 0 statements"),
        ("-- nothing", "holds 0 statements"),
        ("DROP TABLE t", "is not a SELECT"),
        ("UPDATE t SET a = 1", ""),
        ("DELETE FROM t", ""),
        ("INSERT INTO t SELECT 1", ""),
        ("CREATE TABLE t AS SELECT 1", ""),
        ("COPY t TO '/tmp/x'", "is not a SELECT"),
        ("VACUUM", "is not a SELECT"),
        ("CALL p()", "is not a SELECT"),
        ("EXPLAIN ANALYZE SELECT 1", "is not a SELECT"),
        ("SELECT * INTO copy FROM t", "holds INTO"),
        ("SELECT * FROM t FOR UPDATE", "holds FOR UPDATE"),
        ("SELECT * FROM t FOR SHARE SKIP LOCKED", "holds FOR UPDATE"),
        ("WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone", "holds DELETE"),
        ("WITH new AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM new", "holds INSERT"),
        ("WITH new AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM new", "holds UPDATE"),
        ("SELECT (", "cannot be parsed"),
        ("SELECT 1) AS q; DROP TABLE t; SELECT (1", "cannot be parsed"),
        ("SELECT 'open", "cannot be parsed"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_its_column(query: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match="The row's query") as refusal:
        checked_query(query)
    assert refusal.value.field == "query"
    assert what in refusal.value.message


@pytest.mark.parametrize(
    "query",
    ["SELECT xmlserialize(content x AS text) AS x FROM t", "SELECT citext 'x' AS x", "SELECT id FROM"],
)
def test_what_cannot_be_parsed_may_still_be_a_view(query: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be parsed") as refusal:
        checked_query(query)
    assert "make it a view there" in str(refusal.value.fix)


@pytest.mark.parametrize(
    ("begin", "end"), [("replace(", ", 'a', 'b')"), ("(", ")"), ("CASE WHEN a THEN 1 ELSE ", " END")]
)
def test_what_is_nested_too_deeply_may_still_be_a_view(begin: str, end: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be parsed \(it is nested too deeply\)") as refusal:
        checked_query(f"SELECT {begin * 500}a{end * 500} FROM t")
    assert "make it a view there" in str(refusal.value.fix)


@pytest.mark.parametrize("field", ["source_table_schema", "source_table_name"])
@pytest.mark.parametrize("name", ["x" * 64, "ü" * 32])
def test_a_name_that_the_source_would_cut_off_is_refused(field: str, name: str) -> None:
    parts = {"source_table_schema": "s", "source_table_name": "t", field: name}
    source = SourceTable(catalog=None, schema=parts["source_table_schema"], name=parts["source_table_name"])
    with pytest.raises(ConfigurationError, match="63 bytes") as refusal:
        relation(source, None)
    assert refusal.value.field == field
