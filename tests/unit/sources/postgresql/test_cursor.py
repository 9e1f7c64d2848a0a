"""Which columns can say how far a load has come."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_dataloader.core.strategy import CursorType, ValuePolicy
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn
from airflow_dataloader.sources.postgresql.cursor import cursor
from airflow_dataloader.sources.postgresql.planning import plan_columns
from tests.source_configs import config

WHOLE, CENTS = ((18 << 16) | 0) + 4, ((18 << 16) | 2) + 4


def plan(base: str, modifier: int = -1, *, array: bool = False, **overrides: object) -> CursorPlan:
    described = (
        DescribedColumn(name="id", base="int8", declared="bigint"),
        DescribedColumn(name="at", base=base, declared=base, modifier=modifier, array=array),
    )
    columns = plan_columns(described, ValuePolicy.FAIL).columns
    return cursor(described, columns, config(**overrides))


@pytest.mark.parametrize(
    ("base", "modifier", "expected", "lookback"),
    [
        ("timestamptz", -1, CursorType.TIMESTAMP, timedelta(minutes=15)),
        ("timestamp", -1, CursorType.TIMESTAMP_NTZ, timedelta(minutes=15)),
        ("date", -1, CursorType.DATE, None),
        ("int2", -1, CursorType.INTEGER, None),
        ("int4", -1, CursorType.INTEGER, None),
        ("int8", -1, CursorType.INTEGER, None),
        ("numeric", -1, CursorType.DECIMAL, None),
        ("text", -1, CursorType.STRING, None),
        ("varchar", 44, CursorType.STRING, None),
        ("bpchar", 14, CursorType.STRING, None),
        ("uuid", -1, CursorType.STRING, None),
    ],
)
def test_a_cursor_s_type_and_overlap_come_from_the_source(
    base: str, modifier: int, expected: CursorType, lookback: timedelta | None
) -> None:
    found = plan(base, modifier)
    assert (found.type, found.lookback, found.column.source_name) == (expected, lookback, "at")


def test_only_texts_of_a_fixed_length_are_filled_up_with_blanks() -> None:
    assert plan("bpchar", 14).padded
    assert not any(plan(base).padded for base in ("text", "varchar", "uuid", "int8"))


@pytest.mark.parametrize("base", ["float8", "bool", "bytea", "json", "interval", "time", "shop.state"])
def test_a_type_without_a_useful_order_is_refused(base: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot say how far") as refusal:
        plan(base)
    assert refusal.value.field == "incremental_column"


def test_an_array_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot say how far"):
        plan("int4", array=True)


def test_a_missing_cursor_column_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'changed_at'") as refusal:
        plan("date", incremental_column="changed_at")
    assert refusal.value.field == "incremental_column"


@pytest.mark.parametrize(
    ("base", "modifier", "asked", "expected"),
    [
        ("timestamp", -1, "timestamp", CursorType.TIMESTAMP_NTZ),
        ("timestamp", -1, "timestamp_ntz", CursorType.TIMESTAMP_NTZ),
        ("numeric", WHOLE, "integer", CursorType.INTEGER),
        ("numeric", WHOLE, "decimal", CursorType.DECIMAL),
    ],
)
def test_a_row_may_say_the_type_in_its_own_words(
    base: str, modifier: int, asked: str, expected: CursorType
) -> None:
    assert plan(base, modifier, incremental_type=asked).type is expected


@pytest.mark.parametrize(
    ("base", "modifier", "asked"),
    [
        ("timestamptz", -1, "timestamp_ntz"),
        ("timestamptz", -1, "date"),
        ("date", -1, "timestamp"),
        ("int8", -1, "timestamp"),
        ("int8", -1, "decimal"),
        ("numeric", CENTS, "integer"),
        ("numeric", -1, "integer"),
        ("text", -1, "integer"),
    ],
)
def test_a_type_that_the_source_contradicts_is_refused(base: str, modifier: int, asked: str) -> None:
    with pytest.raises(ConfigurationError, match=f"incremental_type says {asked}") as refusal:
        plan(base, modifier, incremental_type=asked)
    assert refusal.value.field == "incremental_type"


@pytest.mark.parametrize(
    ("base", "asked", "expected"),
    [
        ("timestamptz", "2 hours", timedelta(hours=2)),
        ("date", "3 days", timedelta(days=3)),
        ("int8", "1000", 1000),
        ("numeric", "5", 5),
        ("timestamptz", "0", None),
        ("text", "0", None),
        ("int8", "0 minutes", None),
    ],
)
def test_a_row_s_lookback_is_taken(base: str, asked: str, expected: timedelta | int | None) -> None:
    assert plan(base, lookback=asked).lookback == expected


@pytest.mark.parametrize(
    ("base", "asked"),
    [("timestamptz", "1000"), ("date", "3"), ("int8", "15 minutes"), ("text", "1"), ("uuid", "1 day")],
)
def test_a_lookback_of_the_wrong_kind_is_refused(base: str, asked: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be subtracted") as refusal:
        plan(base, lookback=asked)
    assert refusal.value.field == "lookback"


def test_text_is_compared_by_bytes_as_the_target_does() -> None:
    assert plan("varchar").quoted == '"at" COLLATE "C"'


def test_a_value_out_of_the_target_s_range_is_refused_or_counts_as_missing() -> None:
    assert plan("date").refuses
    assert plan("date", value_policy="string").refuses
    assert not plan("date", value_policy="null").refuses
