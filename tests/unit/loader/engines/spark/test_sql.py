"""Parts of queries that several verbs write."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.sql import present, same_keys, select


def test_a_query_is_put_in_parentheses_and_a_table_is_not() -> None:
    inner = select("`a`", "`t`", "`a` > 1")
    assert inner == "SELECT `a` FROM `t` WHERE `a` > 1"
    assert select("COUNT(1)", inner) == f"SELECT COUNT(1) FROM ({inner})"


def test_a_key_s_columns_are_quoted_and_all_of_them_count() -> None:
    assert present(["a", "b`"]) == "`a` IS NOT NULL AND `b``` IS NOT NULL"
    assert present(["a"], "t.") == "t.`a` IS NOT NULL"
    assert same_keys(["a", "b"], "t.", "s.") == "t.`a` = s.`a` AND t.`b` = s.`b`"
