"""Queries over queries."""

from __future__ import annotations

from airflow_dataloader.loader.engines.spark.select import select


def test_a_query_is_put_in_parentheses_and_a_table_is_not() -> None:
    inner = select("`a`", "`t`", "`a` > 1")
    assert inner == "SELECT `a` FROM `t` WHERE `a` > 1"
    assert select("COUNT(1)", inner) == f"SELECT COUNT(1) FROM ({inner})"
