"""The question whether anything changed; what it tells apart is tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.strategy import NullCursorPolicy, ValuePolicy
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.cursor import cursor
from airflow_dataloader.sources.postgresql.fingerprint import fingerprint, fingerprint_sql
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.source_configs import config

DESCRIBED = (
    DescribedColumn(name="at", base="date", declared="date"),
    DescribedColumn(name='a"b', base="text", declared="text"),
)


def text(policy: NullCursorPolicy, **overrides: object) -> str:
    plan = cursor(DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns, config(**overrides))
    return fingerprint_sql("t", DESCRIBED, plan, "2026-01-01", policy)


@pytest.mark.parametrize("policy", [NullCursorPolicy.INCLUDE, NullCursorPolicy.FAIL])
def test_rows_without_a_cursor_belong_to_the_boundary(policy: NullCursorPolicy) -> None:
    assert '"at" IS NULL OR NOT (' in text(policy)


def test_excluded_rows_do_not_count_unless_they_must_be_refused() -> None:
    assert "IS NULL" not in text(NullCursorPolicy.EXCLUDE)
    assert "NOT (" in text(NullCursorPolicy.EXCLUDE)
    assert "NOT (" not in text(NullCursorPolicy.EXCLUDE, value_policy="null")


def test_the_boundary_reaches_back_by_the_lookback() -> None:
    query = text(NullCursorPolicy.EXCLUDE, lookback="2 days")
    assert "\"at\" >= CAST('2026-01-01' AS pg_catalog.date) - 2 AND" in query
    assert 'ROW("at", "a""b")' in query


def test_the_answer_is_numbers_and_a_digest() -> None:
    plan = cursor(DESCRIBED, plan_columns(DESCRIBED, ValuePolicy.FAIL).columns, config())
    found = fingerprint(
        lambda _: [(0, 2, -5)],
        relation="t",
        described=DESCRIBED,
        cursor=plan,
        watermark="2026-01-01",
        null_policy=NullCursorPolicy.INCLUDE,
    )
    assert (found.newer, found.rows, found.digest) == (0, 2, "-5")
