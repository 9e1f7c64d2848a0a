"""Predicates of chunks; where they are cut is tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.chunks import chunk_predicate, chunk_rows, cuts
from airflow_dataloader.sources.postgresql.cursor import cursor
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.source_configs import config


def plan(base: str, **overrides: object) -> CursorPlan:
    described = (DescribedColumn(name="at", base=base, declared=base),)
    return cursor(described, plan_columns(described, ValuePolicy.FAIL).columns, config(**overrides))


@pytest.mark.parametrize(
    ("low", "below", "expected"),
    [
        (None, "5", "\"at\" < CAST('5' AS int8) AND \"at\" <= CAST('9' AS int8)"),
        ("5", None, "\"at\" >= CAST('5' AS int8) AND \"at\" <= CAST('9' AS int8)"),
        (None, None, "\"at\" <= CAST('9' AS int8)"),
    ],
)
def test_a_chunk_has_its_lower_end_and_not_its_upper_one(
    low: str | None, below: str | None, expected: str
) -> None:
    assert chunk_predicate(plan("int4"), low, below, "9") == expected


def test_values_that_cannot_be_kept_are_refused_by_the_first_chunk_or_are_in_none() -> None:
    first = chunk_predicate(plan("date"), None, "2026-01-01", "2026-02-01")
    later = chunk_predicate(plan("date"), "2026-01-01", None, "2026-02-01")
    assert "OR NOT (" in first
    assert "NOT (" not in later
    nulling = chunk_predicate(plan("date", value_policy="null"), None, "2026-01-01", "2026-02-01")
    assert "NOT (" not in nulling
    assert "0001-01-01" in nulling


def test_chunks_without_rows_are_counted_as_such() -> None:
    assert chunk_rows(lambda _: [(2, 7), (0, 1)], "t", plan("int4"), ["3", "5", None], "9") == (1, 0, 7)


@pytest.mark.parametrize(("base", "asked"), [("int8", 1), ("numeric", 3), ("text", 3)])
def test_ends_that_are_not_found_by_halving_are_asked_about_a_few_at_a_time(base: str, asked: int) -> None:
    seen: list[str] = []

    def ask(sql: str) -> list[tuple[int, int]]:
        seen.append(sql)
        return [(0, len(seen))]

    ends = [*(f"{number:03}" for number in range(1, 450)), None]
    rows = chunk_rows(ask, "t", plan(base), ends, "999")
    assert len(seen) == asked
    assert [place for place, found in enumerate(rows) if found] == [200 * place for place in range(asked)]
    assert [">= CAST('200' " in sql for sql in seen] == [False, True, False][:asked]


def test_the_first_cut_is_the_smallest_value() -> None:
    found = cuts(lambda _: [("1",), ("5",), ("9",)], "t", plan("int4"), "9", size=4, most=9)
    assert (found.low, found.points) == ("1", ("5", "9"))
    assert cuts(lambda _: [], "t", plan("int4"), "9", size=4, most=9).low is None
