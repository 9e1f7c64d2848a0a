"""Columns that a row names for a purpose."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.named_column import named_column
from airflow_dataloader.sources.postgresql.planning import plan_columns

DESCRIBED = (
    DescribedColumn(name="id", base="int8", declared="bigint"),
    DescribedColumn(name="Born", base="date", declared="date"),
    DescribedColumn(name="days", base="date", declared="date[]", array=True),
)
PLANNED = plan_columns(DESCRIBED, ValuePolicy.FAIL).columns


def test_it_is_returned_as_planned_and_as_described() -> None:
    planned, column = _choose("born")
    assert (planned.source_name, column) == ("Born", DESCRIBED[1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("id", "Column 'id' is bigint, which has no days."),
        ("days", "Column 'days' is date[], which has no days."),
        ("gone", "rolling_column names column 'gone', which the source does not have."),
        (None, "rolling_column names column '', which the source does not have."),
    ],
)
def test_what_does_not_fit_is_refused(name: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        _choose(name)
    assert (refusal.value.message, refusal.value.field) == (message, "rolling_column")


def _choose(name: str | None) -> tuple[object, DescribedColumn]:
    return named_column(
        DESCRIBED,
        PLANNED,
        name,
        field="rolling_column",
        bases={"date"},
        unfit="has no days",
        fix="name a date or timestamp column",
    )
