"""The arithmetic of windows against a model: whatever happens at the source and to loads, nothing is missed.

The dialect's own SQL runs in SQLite, which understands it for integer cursors: a story takes milliseconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_dataloader.core.strategy import NullCursorPolicy, ValuePolicy
from airflow_dataloader.sources.model import CursorPlan, DescribedColumn, Frozen
from airflow_dataloader.sources.postgresql.chunks import chunk_predicate
from airflow_dataloader.sources.postgresql.cursor import cursor
from airflow_dataloader.sources.postgresql.planning import plan_columns
from airflow_dataloader.sources.postgresql.window import freeze, window_predicate
from tests.source_configs import config

DESCRIBED = tuple(DescribedColumn(name=name, base="int8", declared="bigint") for name in ("id", "at", "v"))

Row = tuple[int, int | None, int]


def cursor_plan(lookback: int) -> CursorPlan:
    columns = plan_columns(DESCRIBED, ValuePolicy.FAIL).columns
    return cursor(DESCRIBED, columns, config(lookback=str(lookback)))


class Story:
    """A source, a target that loads keep by key, and how far they have come."""

    def __init__(self, lookback: int, policy: NullCursorPolicy) -> None:
        self.cursor, self.policy = cursor_plan(lookback), policy
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.create_function("greatest", -1, greatest, deterministic=True)
        self.database.execute('CREATE TABLE t ("id" INTEGER, "at" INTEGER, "v" INTEGER)')
        self.target: dict[int, Row] = {}
        self.watermark: str | None = None
        self.ids = 0

    def ask(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return self.database.execute(sql).fetchall()

    @property
    def source(self) -> list[Row]:
        return list(self.ask("SELECT * FROM t ORDER BY id"))

    @property
    def now(self) -> int:
        ((newest,),) = self.ask("SELECT max(at) FROM t")
        return max(newest or 0, int(self.watermark or 0))

    def add(self, at: int | None) -> None:
        self.ids += 1
        self.database.execute("INSERT INTO t VALUES (?, ?, 0)", (self.ids, at))

    def new(self, number: int) -> None:
        self.add(self.now + number % 3)

    def late(self, number: int) -> None:
        """A row that commits when its cursor has been passed already, as far back as windows reach."""
        lookback = self.cursor.lookback
        assert not lookback or isinstance(lookback, int)
        if self.watermark is not None:
            self.add(int(self.watermark) - number % ((lookback or 0) + 1))

    def without_cursor(self, _: int) -> None:
        if self.policy is NullCursorPolicy.INCLUDE:
            self.add(None)

    def change(self, number: int) -> None:
        self.database.execute("UPDATE t SET v = v + 1, at = ? WHERE id % 5 = ?", (self.now + 1, number % 5))

    def correct(self, number: int) -> None:
        """A cursor that was wrong is set right, lower or higher, to where windows still reach."""
        lookback = self.cursor.lookback
        assert not lookback or isinstance(lookback, int)
        if self.watermark is not None:
            at = int(self.watermark) - number % ((lookback or 0) + 1)
            self.database.execute("UPDATE t SET v = v + 1, at = ? WHERE id % 5 = ?", (at, number % 5))

    def load(self, _: int) -> None:
        self.watermark = self._publish()

    def die_before_publishing(self, _: int) -> None:
        self._read()

    def die_before_settling(self, _: int) -> None:
        self._publish()

    def _read(self) -> tuple[list[Row], Frozen]:
        frozen = freeze(self.ask, "t", self.cursor, self.watermark)
        where = window_predicate(self.cursor, self.watermark, frozen.high, null_policy=self.policy)
        return list(self.ask(f"SELECT * FROM t WHERE {where}")), frozen

    def _publish(self) -> str | None:
        rows, frozen = self._read()
        for row in rows:
            held = self.target.get(row[0])
            # Only a source that has gone back behind its watermark may show a row that is older.
            if held is None or not frozen.behind or not_older(row[1], held[1]):
                self.target[row[0]] = row
        return frozen.watermark


def greatest(*values: int | None) -> int | None:
    present = [value for value in values if value is not None]
    return max(present) if present else None


def not_older(one: int | None, other: int | None) -> bool:
    """Return whether a guarded merge puts a row in place of another: also where one of them has no cursor."""
    return one is None or other is None or one >= other


DEEDS = (
    "new",
    "late",
    "without_cursor",
    "change",
    "correct",
    "load",
    "die_before_publishing",
    "die_before_settling",
)


@settings(max_examples=600)
@given(
    deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 30)), max_size=25),
    lookback=st.integers(0, 7),
    policy=st.sampled_from([NullCursorPolicy.INCLUDE, NullCursorPolicy.EXCLUDE]),
)
def test_the_target_is_the_source_after_any_story(
    deeds: list[tuple[str, int]], lookback: int, policy: NullCursorPolicy
) -> None:
    story = Story(lookback, policy)
    with closing(story.database):
        # With the last new row the source is past its watermark again, if a correction took it behind.
        for deed, number in [*deeds, ("new", 0), ("load", 0)]:
            before = story.watermark
            getattr(story, deed)(number)
            assert int(story.watermark or -1) >= int(before or -1), "a watermark never goes back"
        assert sorted(story.target.values()) == story.source


@settings(max_examples=300)
@given(
    values=st.lists(st.none() | st.integers(-50, 50), max_size=20),
    points=st.lists(st.integers(-50, 50), unique=True, max_size=6).map(sorted),
    high=st.integers(-50, 50),
)
def test_every_row_up_to_the_bound_is_in_exactly_one_chunk(
    values: list[int | None], points: list[int], high: int
) -> None:
    plan = cursor_plan(0)
    ends = [None, *map(str, points), None]
    chunks = [chunk_predicate(plan, low, below, str(high)) for low, below in pairwise(ends)]
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute('CREATE TABLE t ("at" INTEGER)')
        database.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
        found = [row for chunk in chunks for row in database.execute(f"SELECT at FROM t WHERE {chunk}")]
    assert sorted(value for (value,) in found) == sorted(v for v in values if v is not None and v <= high)


def test_the_model_notices_a_window_that_does_not_overlap() -> None:
    """Without the overlap a late row is missed: the stories above would not prove anything otherwise."""
    story = Story(3, NullCursorPolicy.EXCLUDE)
    with closing(story.database):
        story.new(1)
        story.load(0)
        story.late(2)
        story.cursor = cursor_plan(0)
        story.load(0)
        assert sorted(story.target.values()) != story.source
