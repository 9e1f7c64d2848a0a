"""What parts are called."""

from __future__ import annotations

from airflow_dataloader.core.comparison import Parts
from tests.planned import column


def test_ranges_are_named_by_where_they_begin_and_end() -> None:
    parts = Parts(count=3, column=column("at", "date"), cuts=("0", "365"))
    assert [parts.name(number) for number in range(3)] == [
        "at to below 1970-01-01",
        "at from 1970-01-01 to below 1971-01-01",
        "at from 1971-01-01 on",
    ]


def test_parts_by_hash_are_numbered() -> None:
    assert Parts(count=8).name(0) == "part 1 of 8 by hash"
    assert Parts(count=1).name(0) == "all rows"
