"""The window of a rolling load: which columns have days, and what becomes of values without one."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.strategy import CursorType, ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import Days, DescribedColumn
from airflow_dataloader.sources.postgresql.days import days
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.source_configs import config


def window(base: str, **overrides: object) -> Days:
    described = (DescribedColumn(name="at", base=base, declared=base),)
    now = "2026-01-07 12:00:00+00"
    answers = iter([[(True,)], [("2026-01-05", "2026-01-05 00:00:00+00", now, "2026-01-07")]])
    settings = config(**({"load_strategy": "rolling", "rolling_column": "at", "rolling_days": 3} | overrides))
    columns = plan_columns(described, ValuePolicy.FAIL).columns
    return days(lambda _: next(answers), described, columns, settings)


def test_the_frozen_day_is_in_the_predicate() -> None:
    found = window("date")
    assert (found.first, found.type) == ("2026-01-05", CursorType.DATE)
    assert found.where.startswith("\"at\" >= CAST('2026-01-05' AS pg_catalog.date) OR NOT (")
    assert found.missing == '"at" IS NULL'
    assert found.begins == "2026-01-05 00:00:00+00"
    assert (found.seen_until, found.shown_until) == ("2026-01-07 12:00:00+00", "2026-01-07")


def test_days_that_the_target_cannot_keep_are_no_days_where_they_become_null() -> None:
    found = window("timestamptz", value_policy="null")
    assert " AND " in found.where
    assert " OR NOT (" in found.missing
    assert " OR NOT (" not in found.where


@pytest.mark.parametrize("base", ["text", "int4", "time"])
def test_a_column_without_days_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="has no days") as refusal:
        window(base)
    assert refusal.value.field == "rolling_column"
