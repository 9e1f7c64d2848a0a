"""The SELECT that a plan stands for, and what it never shows."""

from __future__ import annotations

from dataclasses import replace

from airflow_dataloader.core.plan import Endpoint, PlannedColumn, ReadPlan, Wire

ENDPOINT = Endpoint(
    db_type="postgresql", host="db.example", port=5432, database="shop", user="reader", password="s3cret"
)


def column(name: str, select: str) -> PlannedColumn:
    return PlannedColumn(
        source_name=name, name=name, select=select, wire=Wire.NATIVE, type="bigint", source_type="int8"
    )


PLAN = ReadPlan(
    endpoint=ENDPOINT,
    columns=(column("id", '"id"'), column("select", '"select"::text')),
    relation='"public"."orders"',
)


def test_columns_travel_under_names_of_our_own() -> None:
    assert PLAN.select_sql() == 'SELECT "id" AS c0, "select"::text AS c1 FROM "public"."orders"'


def test_window_and_partition_are_kept_apart_by_parentheses() -> None:
    plan = replace(PLAN, where="a OR b", partitions=("c OR d", "e"))
    assert plan.select_sql() == PLAN.select_sql() + " WHERE (a OR b)"
    assert plan.select_sql(0) == PLAN.select_sql() + " WHERE (a OR b) AND (c OR d)"
    assert plan.select_sql(1).endswith(" WHERE (a OR b) AND (e)")


def test_a_single_partition_has_no_predicate_of_its_own() -> None:
    assert PLAN.select_sql(0) == PLAN.select_sql()


def test_replaced_values_are_counted_beside_the_columns() -> None:
    plan = replace(PLAN, replaced="(x)::int")
    assert plan.select_sql().startswith('SELECT "id" AS c0, "select"::text AS c1, (x)::int AS replaced FROM')


def test_an_endpoint_never_shows_its_login() -> None:
    shown = repr(PLAN)
    assert not any(secret in shown for secret in ("s3cret", "reader", "db.example", "5432"))
