"""Which decimal a numeric becomes."""

from __future__ import annotations

import pytest

from airflow_dataloader.sources.postgresql.numbers import numeric, precision_and_scale


def modifier(precision: int, scale: int) -> int:
    """Encode a type modifier as PostgreSQL does."""
    return ((precision << 16) | (scale & 0x7FF)) + 4


@pytest.mark.parametrize(
    ("precision", "scale"), [(1, 0), (10, 2), (38, 38), (1000, -1000), (2, 4), (1000, 1000)]
)
def test_a_modifier_is_decoded(precision: int, scale: int) -> None:
    assert precision_and_scale(modifier(precision, scale)) == (precision, scale)


@pytest.mark.parametrize(
    ("precision", "scale", "expected"),
    [
        (10, 2, "decimal(10,2)"),
        (38, 0, "decimal(38,0)"),
        (38, 38, "decimal(38,38)"),
        (5, -2, "decimal(7,0)"),
        (2, 4, "decimal(4,4)"),
        (36, -2, "decimal(38,0)"),
    ],
)
def test_what_a_decimal_can_hold_needs_no_guard(precision: int, scale: int, expected: str) -> None:
    rule = numeric("x", modifier(precision, scale))
    assert rule.type == expected
    assert rule.refused_by_driver


@pytest.mark.parametrize(
    ("precision", "scale", "expected", "kept"),
    [
        (60, 20, "decimal(38,20)", "abs(x) < 1e18"),
        (39, 0, "decimal(38,0)", "abs(x) < 1e38"),
        (37, -2, "decimal(38,0)", "abs(x) < 1e38"),
        (45, 40, "decimal(38,33)", "abs(x) < 1e5 AND x = trunc(x, 33)"),
        (100, 50, "decimal(38,18)", "abs(x) < 1e20 AND x = trunc(x, 18)"),
        (10, 40, "decimal(38,38)", "abs(x) < 1e0 AND x = trunc(x, 38)"),
    ],
)
def test_what_a_decimal_cannot_hold_is_guarded(precision: int, scale: int, expected: str, kept: str) -> None:
    rule = numeric("x", modifier(precision, scale))
    assert (rule.type, rule.kept) == (expected, kept)
    assert not rule.refused_by_driver


def test_a_numeric_without_precision_is_kept_where_it_fits() -> None:
    rule = numeric("x", -1)
    assert (rule.type, rule.kept) == ("decimal(38,18)", "abs(x) < 1e20 AND x = trunc(x, 18)")
