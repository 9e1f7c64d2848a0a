"""Texts of intervals that a source may read otherwise than a load."""

from __future__ import annotations

import pytest

from airflow_dataloader.sources.postgresql.intervals import first_with_one_sign


@pytest.mark.parametrize(
    "text",
    [
        "'-1 2:00:00'",
        "' - 1 day 2 hours'",
        "'-1-2 3 4:05:06'",
        "'-1 year\n2 mons'",
        "'-1day2hours'",
        "'-.5 day 2 hours'",
        "'@ -1 day 2 hours'",
        "E'-1 2:00:00'",
        "$$-1 2:00:00$$",
        "$tag$-1 2:00:00$tag$",
    ],
)
def test_a_minus_before_several_fields_may_be_of_all_of_them(text: str) -> None:
    assert first_with_one_sign(f"(SELECT at + interval {text} AS at FROM t) AS q") == text


@pytest.mark.parametrize(
    "before", ["id, -- don't touch\n", "id, /* Anna's /* own */ */ ", '"it\'s", ', "'it''s' AS \"a\"\"b'\", "]
)
def test_quotes_that_begin_no_string_hide_none(before: str) -> None:
    text = first_with_one_sign(f"(SELECT {before} at + interval '-1 2:00:00' AS due FROM t) AS q")
    assert text == "'-1 2:00:00'"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT interval '-1 day -2:00:00'",
        "SELECT interval '-1 day +2:00:00'",
        "SELECT interval '-2:00:00'",
        "SELECT interval '-1 day'",
        "SELECT interval '1 2:00:00'",
        "SELECT '-1 2' AS label",
        "SELECT '-' || a || ' 1 ' FROM t WHERE b < interval '1 day'",
        "SELECT a - 1, 'x' FROM t WHERE b < interval '1 day 2 hours'",
        "SELECT interval '1 day' -- not '-1 2:00:00'",
        "SELECT interval '1 day' AS \"'-1 2:00:00'\"",
    ],
)
def test_other_texts_mean_the_same_everywhere(query: str) -> None:
    assert first_with_one_sign(f"({query}) AS q") is None
