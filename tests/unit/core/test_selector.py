"""The little language that names rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_dataloader.core.selector import Field, like, named, parse
from airflow_dataloader.exceptions import ConfigurationError


def terms(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(str(term.field), term.patterns) for term in parse(text).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("source:shop", [("source", ("shop",))]),
        ("source:shop,crm  name:Orders*", [("source", ("shop", "crm")), ("name", ("Orders*",))]),
        ("orders", [("name", ("orders",))]),
        ("orders,lines", [("name", ("orders", "lines"))]),
        ('tag:"month end",daily owner:"Anna B"', [("tag", ("month end", "daily")), ("owner", ("Anna B",))]),
        ('name:"a:b","c,d"', [("name", ("a:b", "c,d"))]),
        ('"a:b"', [("name", ("a:b",))]),
        ("STATUS:In_Progress,none", [("status", ("In Progress", "none"))]),
        ("name:bronze.shop.order_lines", [("name", ("bronze.shop.order_lines",))]),
        ("strategy:full\n tag:x", [("strategy", ("full",)), ("tag", ("x",))]),
    ],
)
def test_reads(text: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    assert terms(text) == expected
    assert str(parse(f" {text} ")) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing"),
        ("   ", "nothing"),
        ("colour:red", "'colour' is not a field"),
        (":red", "'' is not a field"),
        ("name:", "'name:' has no value"),
        ("name:a,,b", "has no value"),
        ('name:""', "has no value"),
        ('name:"a', "a quote is not closed"),
        (b"name:caf\xe9".decode(errors="surrogateescape"), "bytes that are not UTF-8"),
        ("name:a\0b", "it holds NUL"),
    ],
)
def test_refuses_and_says_how_to_write_it(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        parse(text)
    assert refused.value.field == "selector"
    assert all(field in str(refused.value.fix) for field in Field)


@pytest.mark.parametrize(
    ("glob", "pattern"),
    [
        ("orders*", "orders%"),
        ("o?d", "o_d"),
        ("order_lines", r"order\_lines"),
        ("50%", r"50\%"),
        ("a\\b", r"a\\b"),
    ],
)
def test_a_glob_becomes_a_like_pattern(glob: str, pattern: str) -> None:
    assert like(glob) == pattern


@given(
    st.lists(
        st.tuples(st.sampled_from(list(Field)), st.lists(st.text("ab*? ,:", min_size=1), min_size=1)),
        min_size=1,
    )
)
def test_quoted_values_come_back_as_written(wanted: list[tuple[Field, list[str]]]) -> None:
    wanted = [(field, [value.strip() or "x" for value in values]) for field, values in wanted]
    text = " ".join(f"{field}:" + ",".join(f'"{value}"' for value in values) for field, values in wanted)
    assert terms(text) == [(str(field), tuple(values)) for field, values in wanted]


@pytest.mark.parametrize(
    "table", ["orders", "shop.orders", "bronze.shop.o*", "month end", "a,b", 'a:"b', "a:b"]
)
def test_a_table_by_its_name_whatever_is_in_it(table: str) -> None:
    (term,) = named(f" {table} ").terms
    assert (term.field, term.patterns) == (Field.NAME, (table,))
    assert table in str(named(table))


@pytest.mark.parametrize(("table", "reason"), [(" ", "no value"), ("a\udcff", "not UTF-8")])
def test_what_is_no_name(table: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        named(table)
    assert caught.value.field == "selector"


def test_what_two_selectors_select() -> None:
    both = named("shop.orders") & parse("source:shop tag:x")
    assert [str(term.field) for term in both.terms] == ["name", "source", "tag"]
    assert str(both) == "name:shop.orders source:shop tag:x"
