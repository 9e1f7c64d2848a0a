"""Whatever happens at the source, and whenever loads come in between: in the end the target is right.

Each example is a story of its own table: rows arrive in order, late, at the very bound, without a cursor;
they change, with their cursor or without; they go. It ends with a load.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.bench import Bench
from tests.integration.loader.strategies.stories import (
    ARRIVALS,
    BIGINT,
    CHANGES,
    CURSORS,
    DEEDS,
    KEYED,
    STORIES,
    Cursor,
    Story,
)

#: Of the stories with other cursors, the one that is always told.
IN_SHORT = ("incremental", "timestamp")


def play(bench: Bench, name: str, deeds: list[tuple[int, int]], cursor: Cursor = BIGINT) -> None:
    values, possible = STORIES[name]
    story = Story(bench, values, cursor)
    story.new(0)
    for kind, number in [*deeds, (possible.index("load"), 0)]:
        deed: Callable[[int], None] = getattr(story, possible[kind % len(possible)])
        deed(number)
    assert story.target == story.expected


@pytest.mark.parametrize("name", [name for name in STORIES if name != "check_and_load and soft scan"])
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=3, max_size=7))
def test_the_target_is_right_in_the_end(bench: Bench, name: str, deeds: list[tuple[int, int]]) -> None:
    play(bench, name, deeds)


@pytest.mark.faults
@pytest.mark.parametrize("name", list(STORIES))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, max_size=20))
def test_the_target_is_right_after_long_stories(
    bench: Bench, name: str, deeds: list[tuple[int, int]]
) -> None:
    play(bench, name, deeds)


@pytest.mark.parametrize(
    ("name", "cursor"),
    [
        pytest.param(name, kind, marks=() if (name, kind) == IN_SHORT else pytest.mark.faults)
        for name in ("incremental", "append_only", "chunked_backfill")
        for kind in CURSORS
        if kind != "bigint"
    ],
)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=4, max_size=10))
def test_the_target_is_right_whatever_type_the_cursor_has(
    bench: Bench, name: str, cursor: str, deeds: list[tuple[int, int]]
) -> None:
    play(bench, name, deeds, CURSORS[cursor])


#: What may happen before the first load, all of it in turn.
BEFORE = [deed for deed in [*ARRIVALS, *CHANGES, "delete"] if deed != "load"]


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=5, max_size=20))
@example(deeds=[(0, 8)] * 6 + [(kind, 2) for kind in range(len(BEFORE))])
def test_every_way_to_begin_gives_the_same(bench: Bench, deeds: list[tuple[int, int]]) -> None:
    story = Story(bench, {"load_strategy": "full"})
    story.new(0)
    for kind, number in deeds:
        getattr(story, BEFORE[kind % len(BEFORE)])(number)
    story.load(0)
    for strategy in ("incremental", "chunked_backfill"):
        bench.set(story.row, is_active=False)
        table = f"{story.table}_{strategy[:4]}"
        chunk_size = BIGINT.chunk_size if strategy == "chunked_backfill" else None
        story.row = bench.row(
            story.table,
            **KEYED,
            load_strategy=strategy,
            destination_table_name=table,
            chunk_size=chunk_size,
        )
        bench.succeed(story.row)
        assert bench.target_rows(table) == story.target
    # A range of some 20 numbers in chunks of 8 rows, and the rows without one.
    assert story.rows < 20 or len(bench.chunks(story.row)) > 3
