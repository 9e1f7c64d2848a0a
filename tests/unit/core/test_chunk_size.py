"""How large the chunks of a backfill are."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_dataloader.core.chunk_size import MOST_CHUNKS, fitting, parse_chunk_size, refuse_too_many
from airflow_dataloader.core.strategy import CursorType
from airflow_dataloader.exceptions import ConfigurationError

WEEK = timedelta(days=7)
TIMES = [CursorType.TIMESTAMP, CursorType.TIMESTAMP_NTZ, CursorType.DATE]
OTHERS = [CursorType.INTEGER, CursorType.DECIMAL, CursorType.STRING]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), (" ", None), ("250000", 250_000), ("7 days", WEEK), ("1 week", WEEK)],
)
def test_reads(text: str | None, expected: timedelta | int | None) -> None:
    assert parse_chunk_size(text) == expected


@pytest.mark.parametrize("text", ["0", "0 days"])
def test_refuses_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="is the size of an empty chunk"):
        parse_chunk_size(text)


@pytest.mark.parametrize("text", ["-1", "a month", "1.5 days"])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="neither a span of time nor a whole number"):
        parse_chunk_size(text)


def test_there_is_a_default_for_each_type() -> None:
    assert {fitting(None, kind, "at") for kind in TIMES} == {timedelta(days=30)}
    assert {fitting(None, kind, "at") for kind in OTHERS} == {100_000}


def test_a_fitting_size_is_taken() -> None:
    assert [fitting(WEEK, kind, "at") for kind in TIMES] == [WEEK] * 3
    assert fitting(timedelta(hours=6), CursorType.TIMESTAMP, "at") == timedelta(hours=6)
    assert [fitting(5, kind, "at") for kind in OTHERS] == [5] * 3


@pytest.mark.parametrize(
    ("size", "kind", "fix"),
    [
        (5, CursorType.TIMESTAMP, "write a span of time, such as '7 days', or leave it empty"),
        (5, CursorType.DATE, "write a span of whole days, such as '7 days', or leave it empty"),
        (
            timedelta(hours=6),
            CursorType.DATE,
            "write a span of whole days, such as '7 days', or leave it empty",
        ),
        (WEEK, CursorType.INTEGER, "write a number of rows, such as '250000', or leave it empty"),
        (WEEK, CursorType.STRING, "write a number of rows, such as '250000', or leave it empty"),
    ],
)
def test_a_size_of_the_wrong_kind_is_refused(size: timedelta | int, kind: CursorType, fix: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'at' of type {kind} cannot be cut") as refused:
        fitting(size, kind, "at")
    assert (refused.value.field, refused.value.fix) == ("chunk_size", fix)


def test_too_many_chunks_are_refused() -> None:
    refuse_too_many(MOST_CHUNKS)
    with pytest.raises(ConfigurationError, match="more than 100,000 chunks") as refused:
        refuse_too_many(MOST_CHUNKS + 1)
    assert refused.value.field == "chunk_size"
