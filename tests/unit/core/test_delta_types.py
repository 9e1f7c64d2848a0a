"""Which types go into which, and which can become which."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.delta_types import fits, widens


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("int", "int"),
        ("smallint", "bigint"),
        ("float", "double"),
        ("int", "decimal(10,0)"),
        ("bigint", "decimal(21,2)"),
        ("decimal(10,2)", "decimal(12,2)"),
        ("decimal(10,2)", "decimal(12,4)"),
        ("string", "string"),
    ],
)
def test_every_value_fits(narrow: str, wide: str) -> None:
    assert fits(narrow, wide)


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("bigint", "int"),
        ("double", "float"),
        ("int", "double"),
        ("int", "string"),
        ("bigint", "decimal(18,0)"),
        ("decimal(10,2)", "decimal(10,4)"),
        ("decimal(10,2)", "bigint"),
        ("decimal(5,0)", "int"),
        ("date", "timestamp"),
        ("timestamp", "timestamp_ntz"),
    ],
)
def test_some_value_does_not_fit(narrow: str, wide: str) -> None:
    assert not fits(narrow, wide)


@pytest.mark.parametrize(
    ("narrow", "wide", "can"),
    [
        ("int", "bigint", True),
        ("int", "decimal(12,2)", True),
        ("smallint", "decimal(12,2)", True),
        ("smallint", "decimal(7,2)", False),
        ("bigint", "decimal(21,2)", False),
        ("bigint", "decimal(22,2)", True),
        ("decimal(10,2)", "decimal(12,4)", True),
        ("decimal(10,2)", "decimal(10,4)", False),
    ],
)
def test_which_columns_can_be_widened_where_they_stand(narrow: str, wide: str, can: bool) -> None:
    assert widens(narrow, wide) is can
