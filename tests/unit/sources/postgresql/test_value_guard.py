"""A refusal is understood however it comes back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.sources.postgresql.value_guard import parse_refusal, raise_in_source


def said(column: str, value: str) -> str:
    return f"dataloader refuses column {json.dumps(column, ensure_ascii=False)}: {value} (value_policy)"


@pytest.mark.parametrize(
    "wrapped",
    [
        'invalid input syntax for type bigint: "{}"',
        "ungültige Eingabesyntax für Typ bigint: »{}«",
        'Job aborted\nCaused by: org.postgresql.util.PSQLException: ERROR: invalid: "{}"\n  Where: x\n\tat y',
    ],
)
def test_column_and_value_are_found_in_any_wrapping(wrapped: str) -> None:
    error = parse_refusal(wrapped.format(said("paid at", "infinity")))
    assert error is not None
    assert (error.field, "holds infinity" in error.message) == ("paid at", True)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_column_name_comes_back(name: str) -> None:
    error = parse_refusal(f'invalid input: "{said(name, "NaN")}"')
    assert error is not None
    assert error.field == name


@pytest.mark.parametrize("text", ["abc", 'dataloader refuses column "\\q": z (value_policy)'])
def test_another_error_is_not_a_refusal(text: str) -> None:
    assert parse_refusal(f'invalid input syntax for type bigint: "{text}"') is None


def test_a_text_is_refused_by_way_of_a_number() -> None:
    assert raise_in_source("a", '"a"', "text").startswith("CAST(CAST(")
