"""The canonical text in Spark SQL; that it is the source's, too, is tested on real servers."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_dataloader.core.comparison import Parts
from airflow_dataloader.loader.engines.spark.encoding import canonical, range_number
from tests.planned import column


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("int", "CAST(x AS STRING)"),
        ("decimal(10,0)", "CAST(x AS STRING)"),
        ("decimal(10,2)", "TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(x AS STRING)))"),
        ("float", "CASE WHEN x IS NOT NULL THEN FORMAT_STRING('%a', CAST(x AS DOUBLE)) END"),
        ("binary", "LOWER(HEX(x))"),
        ("date", "CAST(UNIX_DATE(x) AS STRING)"),
        ("timestamp_ntz", "CAST(UNIX_MICROS(CAST(x AS TIMESTAMP)) AS STRING)"),
    ],
)
def test_a_type_s_text(kind: str, expected: str) -> None:
    assert canonical("x", kind) == expected


@pytest.mark.parametrize("cuts", [[10], [10, 20], [-5, 0, 7, 8, 100, 101, 102]])
def test_every_value_is_in_the_range_that_begins_below_it(cuts: list[int]) -> None:
    parts = Parts(count=len(cuts) + 1, column=column("x", "bigint"), cuts=tuple(map(str, cuts)))
    query = f"SELECT {range_number('x', parts)} FROM (SELECT ? AS x)"
    # Any database understands these expressions.
    with closing(sqlite3.connect(":memory:")) as database:
        found = [database.execute(query, (value,)).fetchone()[0] for value in range(-10, 110)]
        assert database.execute(query, (None,)).fetchone() == (0,)
    assert found == [sum(value >= cut for cut in cuts) for value in range(-10, 110)]


def test_texts_are_given_by_their_bytes() -> None:
    parts = Parts(count=2, column=column("x", "string"), cuts=("a'Ä",))
    assert "x < CAST(X'6127c384' AS STRING)" in range_number("x", parts)
