"""Two different rows never have one text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.encoding import Family, family, framed, shown, unframed

#: Rich in what the frames themselves are made of.
TEXTS = st.none() | st.text() | st.text(alphabet="~:0123456789-", max_size=8)
ROWS = st.lists(TEXTS, max_size=6)


@settings(max_examples=500)
@given(row=ROWS)
def test_a_row_can_be_read_from_its_text(row: list[str | None]) -> None:
    assert unframed(framed(row)) == tuple(row)


@settings(max_examples=500)
@given(one=ROWS, other=ROWS)
def test_two_rows_with_one_text_are_the_same(one: list[str | None], other: list[str | None]) -> None:
    assert (framed(one) == framed(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([None], [""]),
        ([None], ["~"]),
        (["1:a"], ["a", ""]),
        (["", "a"], ["a", ""]),
        (["ab", "c"], ["a", "bc"]),
        ([None, "a"], ["a", None]),
        (["𝒳"], ["X"]),
        (["a "], ["a"]),
    ],
)
def test_rows_that_are_easily_taken_for_each_other(one: list[str | None], other: list[str | None]) -> None:
    assert framed(one) != framed(other)


def test_the_text_of_a_row() -> None:
    assert framed(["7", None, "", "𝒳a"]) == "1:7~0:2:𝒳a"
    assert framed([]) == ""


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("int", Family.NUMBER),
        ("decimal(38,18)", Family.NUMBER),
        ("decimal(38, 0)", Family.NUMBER),
        ("float", Family.FLOAT),
        ("timestamp", Family.INSTANT),
        ("timestamp_ntz", Family.WALL_CLOCK),
        ("array<int>", None),
        ("void", None),
    ],
)
def test_types_of_one_family_share_their_texts(type_name: str, expected: Family | None) -> None:
    assert family(type_name) is expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Family.NUMBER, "-0.5", "-0.5"),
        (Family.TEXT, "a'b\n", '"a\'b\\n"'),
        (Family.TEXT, None, "NULL"),
        (Family.DATE, "-141428", "1582-10-14"),
        (Family.INSTANT, "1", "1970-01-01 00:00:00.000001+00:00"),
        (Family.WALL_CLOCK, "-1", "1969-12-31 23:59:59.999999"),
        (Family.DATE, "99999999", "99999999"),
    ],
)
def test_a_key_is_shown_as_a_person_reads_it(kind: Family, text: str | None, expected: str) -> None:
    assert shown(text, kind) == expected
