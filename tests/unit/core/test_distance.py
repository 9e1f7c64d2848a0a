"""A distance along a cursor, as a row writes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_dataloader.core.distance import parse_distance


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("  ", None),
        ("0", 0),
        (" 1000 ", 1000),
        ("15 minutes", timedelta(minutes=15)),
        ("1 Day", timedelta(days=1)),
        ("2weeks", timedelta(weeks=2)),
        ("90 seconds", timedelta(seconds=90)),
        ("36 hour", timedelta(hours=36)),
    ],
)
def test_reads(text: str | None, expected: timedelta | int | None) -> None:
    assert parse_distance(text) == expected


@pytest.mark.parametrize("text", ["-1", "1.5 days", "1 month", "a day", "1 day 2 hours", "minutes", "²"])
def test_refuses_and_repeats_what_was_written(text: str) -> None:
    with pytest.raises(ValueError, match="neither a span of time nor a whole number") as refused:
        parse_distance(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["200000000 weeks", "999999999 weeks"])
def test_refuses_a_span_that_no_clock_can_hold(text: str) -> None:
    with pytest.raises(ValueError, match="longer than any calendar"):
        parse_distance(text)
