"""From a result's description to columns; real descriptions are tested on a real server."""

from __future__ import annotations

from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.describe import ResultColumn, describe_sql, described, types_sql

COLUMNS = [
    ResultColumn(name="id", type_oid=20, modifier=-1),
    ResultColumn(name="tags", type_oid=1009, modifier=-1),
    ResultColumn(name="mood", type_oid=99_999, modifier=-1),
    ResultColumn(name="vector", type_oid=22, modifier=-1),
]


def test_a_relation_is_asked_for_no_rows() -> None:
    assert describe_sql('"public"."t"') == 'SELECT * FROM "public"."t" LIMIT 0'


def test_types_are_asked_for_once_and_in_order() -> None:
    sql = types_sql(COLUMNS)
    assert "(0, 20::oid, -1), (1, 1009::oid, -1)" in sql
    assert sql.endswith("ORDER BY c.number")


def test_a_type_that_somebody_made_never_passes_for_a_built_in_one() -> None:
    types = [
        ("int8", True, False, "bigint", [], ""),
        ("_text", True, True, "text[]", ["text"], ""),
        ("date", False, False, "other.date", [], ":a1b2"),
        ("int2vector", True, True, "int2vector", ["int2"], ""),
    ]
    assert described(COLUMNS, types) == (
        DescribedColumn(name="id", base="int8", declared="bigint"),
        DescribedColumn(name="tags", base="_text", declared="text[]", array=True, parts=frozenset({"text"})),
        DescribedColumn(name="mood", base="other.date", declared="other.date", definition=":a1b2"),
        DescribedColumn(name="vector", base="int2vector", declared="int2vector", parts=frozenset({"int2"})),
    )
