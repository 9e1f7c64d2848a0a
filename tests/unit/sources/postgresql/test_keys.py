"""Types that cannot be keys; whether PostgreSQL describes them so is tested on a real server."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import DescribedColumn
from airflow_dataloader.sources.postgresql.keys import keeps_texts, key_spelling, refuse_loose_keys


@pytest.mark.parametrize("declared", ["citext", "public.citext"])
def test_a_text_that_ignores_case_is_refused(declared: str) -> None:
    column = DescribedColumn(name="Mail", base=declared, declared=declared)
    with pytest.raises(ConfigurationError, match=f"'Mail' is of type {declared}"):
        refuse_loose_keys([column], ["mail"])
    refuse_loose_keys([column], ["id"])


def test_an_array_of_them_is_refused() -> None:
    column = DescribedColumn(name="mails", base="citext[]", declared="citext[]", array=True)
    with pytest.raises(ConfigurationError):
        refuse_loose_keys([column], ["mails"])


def described(declared: str, base: str, *, array: bool = False) -> DescribedColumn:
    return DescribedColumn(name="code", base=base, declared=declared, array=array)


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
    ],
)
def test_types_that_spell_their_values_alike_are_the_same(
    before: DescribedColumn, now: DescribedColumn
) -> None:
    assert keeps_texts(key_spelling(before), key_spelling(now))


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
    ],
)
def test_types_that_spell_their_values_otherwise_are_not(
    before: DescribedColumn, now: DescribedColumn
) -> None:
    assert not keeps_texts(key_spelling(before), key_spelling(now))
