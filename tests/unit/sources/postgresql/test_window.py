"""The predicate of a window; what it selects is tested on a real server."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_dataloader.core.strategy import NullCursorPolicy, ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError, SourceRefused, SourceUnavailable
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.cursor import cursor
from airflow_dataloader.sources.postgresql.planning import plan_columns
from airflow_dataloader.sources.postgresql.window import freeze, null_cursor_sql, window_predicate
from tests.source_configs import config

INCLUDE, EXCLUDE = NullCursorPolicy.INCLUDE, NullCursorPolicy.EXCLUDE


def plan(base: str, **overrides: object) -> CursorPlan:
    described = (DescribedColumn(name="at", base=base, declared=base),)
    return cursor(described, plan_columns(described, ValuePolicy.FAIL).columns, config(**overrides))


def test_an_integer_window_has_both_ends() -> None:
    assert window_predicate(plan("int4"), "7", "9", null_policy=EXCLUDE) == (
        "(\"at\" >= CAST('7' AS int8) AND \"at\" <= CAST('9' AS int8))"
    )


def test_rows_without_a_cursor_are_read_by_policy() -> None:
    assert window_predicate(plan("int4"), None, "9", null_policy=INCLUDE) == (
        '("at" <= CAST(\'9\' AS int8)) OR "at" IS NULL'
    )


def test_with_nothing_to_read_the_window_is_empty() -> None:
    assert window_predicate(plan("int4"), "7", None, null_policy=EXCLUDE) == "false"


@pytest.mark.parametrize(
    ("base", "lookback", "expected"),
    [
        ("int8", 1000, " - 1000 "),
        ("date", timedelta(days=2), " - 2 "),
        ("date", timedelta(hours=36), " - interval '129600000000 microseconds' "),
        ("timestamptz", timedelta(minutes=15), " - interval '900000000 microseconds' "),
        ("timestamptz", None, " AS pg_catalog.timestamptz) AND "),
    ],
)
def test_the_overlap_is_subtracted_by_the_source(
    base: str, lookback: timedelta | int | None, expected: str
) -> None:
    assert expected in window_predicate(replace(plan(base), lookback=lookback), "1", "2", null_policy=EXCLUDE)


def test_a_watermark_is_a_literal_whatever_it_holds() -> None:
    predicate = window_predicate(plan("text"), "a' OR true --", "b", null_policy=EXCLUDE)
    assert "'a'' OR true --'" in predicate


def test_values_that_cannot_be_kept_are_read_so_that_they_are_refused() -> None:
    refusing = window_predicate(plan("date"), None, None, null_policy=EXCLUDE)
    assert refusing.startswith("NOT (")
    nulling = plan("date", value_policy="null")
    assert window_predicate(nulling, None, None, null_policy=EXCLUDE) == "false"
    assert "NOT (" in window_predicate(nulling, None, None, null_policy=INCLUDE)
    assert "NOT (" in null_cursor_sql("t", nulling)
    assert "NOT (" not in null_cursor_sql("t", plan("date"))


def test_a_watermark_that_the_source_cannot_read_is_the_row_s_fault() -> None:
    def ask(sql: str) -> list[tuple[object, ...]]:
        raise SourceRefused("invalid input syntax for type date", sqlstate="22007")

    with pytest.raises(ConfigurationError, match="incremental_value 'soon' is not a date") as refusal:
        freeze(ask, "t", plan("date"), "soon")
    assert (refusal.value.field, refusal.value.sqlstate) == ("incremental_value", "22007")
    with pytest.raises(SourceRefused):
        freeze(ask, "t", plan("date"), None)


def test_another_error_while_freezing_stays_what_it_is() -> None:
    def ask(sql: str) -> list[tuple[object, ...]]:
        raise SourceUnavailable("gone", sqlstate="57P01")

    with pytest.raises(SourceUnavailable):
        freeze(ask, "t", plan("date"), "2026-01-01")
