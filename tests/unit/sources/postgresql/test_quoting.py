"""Names and texts as SQL, read back by another parser."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.quoting import literal, quote

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)))


@given(TEXTS.filter(bool))
def test_a_quoted_name_is_read_as_one_column_of_that_name(name: str) -> None:
    parsed = sqlglot.parse_one(f"SELECT {quote(name)}", read="postgres")
    (column,) = parsed.find_all(exp.Column)
    assert column.name == name
    assert len(parsed.expressions) == 1


@given(TEXTS.filter(lambda text: "\\" not in text))
def test_a_literal_is_read_as_one_text(text: str) -> None:
    parsed = sqlglot.parse_one(f"SELECT {literal(text)}", read="postgres")
    (found,) = parsed.find_all(exp.Literal)
    assert found.this == text


def test_a_backslash_means_the_same_under_either_setting_of_the_server() -> None:
    assert literal("a\\'b") == r"E'a\\''b'"


@pytest.mark.parametrize("name", ["", "a\x00b"])
def test_what_postgresql_cannot_have_as_a_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        quote(name)


def test_a_text_with_nul_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        literal("a\x00b")
