"""The canonical text in SQL; that it is the engine's, too, is tested on real servers."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.plan import PlannedColumn
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.encoding import canonical, framed, number, order, value
from airflow_dataloader.sources.postgresql.planning import plan_columns


def planned(base: str) -> PlannedColumn:
    described = (DescribedColumn(name="x", base=base, declared=base),)
    return plan_columns(described, ValuePolicy.NULL).columns[0]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("int4", 'CAST("x" AS text)'),
        ("bool", 'CAST("x" AS text)'),
        ("text", 'CASE WHEN "x" IS NOT NULL THEN concat("x") END'),
        ("bpchar", 'CASE WHEN "x" IS NOT NULL THEN concat("x") END'),
        ("uuid", 'CASE WHEN "x"::text IS NOT NULL THEN concat("x"::text) END'),
        ("bytea", "encode(\"x\", 'hex')"),
    ],
)
def test_a_type_s_text(base: str, expected: str) -> None:
    assert canonical(planned(base)) == expected


def test_decimals_lose_the_zeros_that_say_nothing() -> None:
    assert canonical(planned("numeric")).startswith("CAST(trim_scale(CAST(CASE WHEN ")


def test_texts_are_ordered_by_their_bytes() -> None:
    assert order(planned("text")).endswith(' COLLATE "C"')
    assert order(planned("int8")) == '"x"'


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("int4", "CAST('5' AS int8)"),
        ("date", "CAST('5' AS int8)"),
        ("numeric", "CAST('5' AS numeric)"),
        ("uuid", "CAST('5' AS text)"),
    ],
)
def test_a_cut_is_a_value_of_the_order(base: str, expected: str) -> None:
    assert value("5", planned(base)) == expected


def test_a_row_of_many_columns_needs_no_function_of_many_arguments() -> None:
    row = framed([f"t{place}" for place in range(1600)])
    assert row.startswith("array_to_string(ARRAY[coalesce(length(t0) || ':' || t0, '~'), ")


def test_two_numbers_of_sixty_bits_are_made_of_a_digest() -> None:
    assert [number("h", place) for place in (0, 1)] == [
        "CAST(CAST('x' || substr(h, 1, 15) AS bit(60)) AS int8)",
        "CAST(CAST('x' || substr(h, 16, 15) AS bit(60)) AS int8)",
    ]
