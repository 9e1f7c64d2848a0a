"""Types that cannot be keys; whether PostgreSQL describes them so is tested on a real server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.keys import (
    describe_spelling,
    keeps_texts,
    key_spelling,
    refuse_ambiguous_keys,
)


@pytest.mark.parametrize("declared", ["citext", "public.citext"])
def test_a_text_that_ignores_case_is_refused(declared: str) -> None:
    column = DescribedColumn(name="Mail", base=declared, declared=declared)
    with pytest.raises(ConfigurationError, match=f"'Mail' is of type {declared}"):
        refuse_ambiguous_keys([column], ["mail"])
    refuse_ambiguous_keys([column], ["id"])


def test_an_array_of_them_is_refused() -> None:
    column = DescribedColumn(name="mails", base="citext[]", declared="citext[]", array=True)
    with pytest.raises(ConfigurationError):
        refuse_ambiguous_keys([column], ["mails"])


def described(declared: str, base: str, *, array: bool = False, **more: Any) -> DescribedColumn:
    return DescribedColumn(name="code", base=base, declared=declared, array=array, **more)


def numeric(precision: int, scale: int, *, array: bool = False) -> DescribedColumn:
    base, brackets = ("_numeric", "[]") if array else ("numeric", "")
    modifier = (precision << 16 | scale) + 4
    return described(f"numeric({precision},{scale}){brackets}", base, array=array, modifier=modifier)


def enum(labels: str, *, fields: str = "") -> DescribedColumn:
    return described("mood", "mood", definition=f"{fields}:{labels}")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (described("character varying(10)", "varchar"), described("text", "text")),
        (described("name", "name"), described("character varying(20)", "varchar")),
        (described("numeric(10,2)", "numeric"), described("numeric", "numeric")),
        (described("timestamp(3)", "timestamp"), described("timestamp", "timestamp")),
        (described("shop.mood", "shop.mood"), described("mood", "mood")),
        (described("integer[]", "_int4", array=True), described("bigint[]", "_int8", array=True)),
        (described("uuid", "uuid"), described("text", "text")),
        (described("shop.mood", "shop.mood"), described("character varying(20)", "varchar")),
        (described("bit(3)", "bit"), described("text", "text")),
        # No key, but a column of rows that are compared as a whole.
        (described("text", "text"), described("public.citext", "public.citext")),
        (described("citext", "citext"), described("character varying(20)", "varchar")),
        (numeric(10, 2), numeric(12, 4)),
        (enum("a1b2"), enum("a1b2,c3d4")),
        (enum("a1b2"), enum("")),
        (enum(""), enum("a1b2")),
        (enum("a1b2,c3d4"), enum("a1b2")),
        (enum("a1b2"), described("text", "text")),
    ],
)
def test_types_that_spell_their_values_alike_are_the_same(
    before: DescribedColumn, now: DescribedColumn
) -> None:
    assert keeps_texts(key_spelling(before, whole=False), key_spelling(now, whole=False))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (described("character(3)", "bpchar"), described("character(5)", "bpchar")),
        (described("character varying(3)", "varchar"), described("character(3)", "bpchar")),
        (described("bit(3)", "bit"), described("bit(5)", "bit")),
        (described("inet", "inet"), described("cidr", "cidr")),
        (described("time without time zone", "time"), described("time with time zone", "timetz")),
        (described("macaddr", "macaddr"), described("macaddr8", "macaddr8")),
        (described("date[]", "_date", array=True), described("timestamp[]", "_timestamp", array=True)),
        (described("text", "text"), described("text[]", "_text", array=True)),
        (described("text", "text"), described("uuid", "uuid")),
        (described("inet", "inet"), described("text", "text")),
        (described("character(3)", "bpchar"), described("text", "text")),
        (described("numeric", "numeric"), described("text", "text")),
        (enum("a1b2,c3d4"), enum("a1b2,ffff")),
        (enum("", fields="12345678"), enum("", fields="87654321")),
    ],
)
def test_types_that_spell_their_values_otherwise_are_not(
    before: DescribedColumn, now: DescribedColumn
) -> None:
    assert not keeps_texts(key_spelling(before, whole=False), key_spelling(now, whole=False))


@pytest.mark.parametrize("array", [False, True])
def test_whole_rows_have_their_numbers_decimals(*, array: bool) -> None:
    two, four = (key_spelling(numeric(10, scale, array=array), whole=True) for scale in (2, 4))
    longer = key_spelling(numeric(12, 2, array=array), whole=True)
    free = described("numeric[]" if array else "numeric", "_numeric" if array else "numeric", array=array)
    assert keeps_texts(two, longer)
    assert keeps_texts(two, key_spelling(free, whole=True))
    assert not keeps_texts(key_spelling(free, whole=True), two)
    assert not keeps_texts(two, four)
    assert describe_spelling(two) == f"numeric with 2 decimals{'[]' if array else ''}"


def test_a_key_s_numbers_have_no_closing_zeros() -> None:
    none, two = (key_spelling(numeric(10, scale), whole=True) for scale in (0, 2))
    free = key_spelling(described("numeric", "numeric"), whole=True)
    key = key_spelling(numeric(10, 2), whole=False)
    for other in (two, free, "text"):
        assert not keeps_texts(key, other)
    for other in (two, free):
        assert not keeps_texts(other, key)
        assert keeps_texts(other, "text")
    assert keeps_texts(none, key)
    assert keeps_texts(key, none)
    assert (describe_spelling(key), describe_spelling(free)) == (
        "numeric without closing zeros",
        "numeric with any number of decimals",
    )


def test_a_spelling_is_told_by_the_type_s_name() -> None:
    assert describe_spelling(key_spelling(enum("a1b2"), whole=False)) == "mood as it was defined then"
    assert describe_spelling("json") == "json"
