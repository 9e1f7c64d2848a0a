"""Whatever happens at the source, and whenever loads come in between: in the end the target is right.

Each example is a story of its own table: rows arrive in order, late, at the very bound, without a cursor;
they change, with their cursor or without; they go. It ends with a load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bench import Bench

#: How far back a window reaches; late rows commit within that.
LOOKBACK = 5

CURSOR = {"incremental_column": "at", "lookback": str(LOOKBACK)}
KEYED = CURSOR | {"primary_key_cols": "id"}

#: A scan that may delete as much as it finds.
SCANNED = {"delete_cron": "@yearly", "shrink_guard_percent": 100}

#: What may happen: always, where rows may change, and where rows may go.
ARRIVALS = ["new", "late", "tie", "no_cursor", "load"]
CHANGES = ["change", "touch", "lose_cursor"]

STORIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "full": ({"load_strategy": "full"}, [*ARRIVALS, *CHANGES, "delete"]),
    "incremental": (KEYED | {"load_strategy": "incremental"}, ARRIVALS + CHANGES),
    "incremental and scan": (
        KEYED | SCANNED | {"load_strategy": "incremental", "delete_policy": "scan"},
        [*ARRIVALS, *CHANGES, "delete", "come_back"],
    ),
    "check_and_load and soft scan": (
        KEYED | SCANNED | {"load_strategy": "check_and_load", "delete_policy": "soft"},
        [*ARRIVALS, *CHANGES, "delete", "come_back"],
    ),
    "append_only": (CURSOR | {"load_strategy": "append_only"}, [*ARRIVALS, "double"]),
    "append_only by key": (KEYED | {"load_strategy": "append_only"}, ARRIVALS),
    "check_and_load": (KEYED | {"load_strategy": "check_and_load"}, ARRIVALS + CHANGES),
    "chunked_backfill": (KEYED | {"load_strategy": "chunked_backfill"}, [*ARRIVALS, *CHANGES, "backfill"]),
    "rolling": (
        {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 4},
        [*ARRIVALS, *CHANGES, "delete", "other_day"],
    ),
}
DEEDS = st.tuples(st.integers(0, 99), st.integers(0, 9))


class Story:
    """A table and its row; every deed takes a number from 0 to 9."""

    def __init__(self, bench: Bench, values: dict[str, Any]) -> None:
        self.bench, self.table = bench, f"t_{uuid4().hex[:12]}"
        self.now, self.bound, self.rows = 100, 100, 0
        bench.source.execute(f"CREATE TABLE {self.table} (id integer, at bigint, day date, v integer)")
        self.row = bench.row(self.table, **values)

    def new(self, number: int) -> None:
        for _ in range(number % 3 + 1):
            self.now += 1
            self._insert(self.now, number)

    def late(self, number: int) -> None:
        self._insert(self.bound - number % (LOOKBACK + 1), number)

    def tie(self, number: int) -> None:
        self._insert(self.bound, number)

    def no_cursor(self, number: int) -> None:
        self._insert(None, number)

    def double(self, number: int) -> None:
        """Put rows there again that a window still reaches."""
        reached = f"at IS NULL OR at >= {self.bound - LOOKBACK}"
        self._run(f"INSERT INTO {{}} SELECT * FROM {{}} WHERE ({reached}) AND v % 10 <= {number}")

    def change(self, number: int) -> None:
        self.now += 1
        self._run(f"UPDATE {{}} SET v = v + 10, at = {self.now} WHERE id % 10 = {number}")

    def touch(self, number: int) -> None:
        """Change rows without their cursor, as far back as every window reaches."""
        reached = f"at IS NULL OR at >= {self.bound - LOOKBACK}"
        self._run(f"UPDATE {{}} SET v = v + 10 WHERE ({reached}) AND id % 3 = {number % 3}")

    def lose_cursor(self, number: int) -> None:
        self._run(f"UPDATE {{}} SET at = NULL WHERE id % 10 = {number}")

    def delete(self, number: int) -> None:
        self._run(f"DELETE FROM {{}} WHERE id % 10 = {number} AND id > 1")

    def come_back(self, number: int) -> None:
        """Put back what was deleted, newer than everything."""
        self.now += 1
        self._run(
            f"INSERT INTO {{}} SELECT i, {self.now}, NULL, {number} FROM generate_series(1, {self.rows}) i "
            f"WHERE i % 10 = {number} AND i NOT IN (SELECT id FROM {{}})"
        )

    def other_day(self, number: int) -> None:
        self._run(f"UPDATE {{}} SET day = {_day(number)} WHERE id % 3 = 0 AND id > 1")

    def backfill(self, number: int) -> None:
        self.bench.set(self.row, load_strategy="chunked_backfill")
        self.load(number)

    def load(self, number: int) -> None:
        """Load, and remember how far that came; where it scans, by every other number."""
        if number % 2 == 0 and self.bench.state(self.row).delete_cron:
            self.bench.set(self.row, next_delete_scan=datetime(2020, 1, 1, tzinfo=UTC))
        result = self.bench.succeed(self.row)
        query = f"SELECT greatest(max(at), {self.bound}) FROM {self.table}"
        ((self.bound,),) = self.bench.source.execute(query).fetchall()
        where = f"WHERE day >= '{result.receipt.low}'" if self._rolls else ""
        self.expected = self.bench.source_rows(f"SELECT * FROM {self.table} {where}")

    @property
    def _rolls(self) -> bool:
        return str(self.bench.state(self.row).load_strategy) == "rolling"

    @property
    def target(self) -> Counter[tuple[Any, ...]]:
        rows = self.bench.target_rows(self.table)
        # The fifth column is that of the marks.
        return Counter({row[:4]: n for row, n in rows.items() if len(row) == 4 or row[4] is None})

    def _insert(self, at: int | None, number: int) -> None:
        self.rows += 1
        cursor = "NULL" if at is None else at
        # One row is always in the window: an empty one would be refused.
        day = _day(0 if self.rows == 1 else number)
        self._run(f"INSERT INTO {{}} VALUES ({self.rows}, {cursor}, {day}, {number})")

    def _run(self, statement: str) -> None:
        self.bench.source.execute(statement.replace("{}", self.table))


def _day(number: int) -> str:
    return "NULL" if number == 9 else f"(now() AT TIME ZONE 'UTC')::date - {number}"


def play(bench: Bench, name: str, deeds: list[tuple[int, int]]) -> None:
    values, possible = STORIES[name]
    story = Story(bench, values)
    story.new(0)
    for kind, number in [*deeds, (possible.index("load"), 0)]:
        deed: Callable[[int], None] = getattr(story, possible[kind % len(possible)])
        deed(number)
    assert story.target == story.expected


@pytest.mark.parametrize("name", [name for name in STORIES if name != "check_and_load and soft scan"])
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


@settings(max_examples=1, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=5, max_size=20))
def test_every_way_to_begin_gives_the_same(bench: Bench, deeds: list[tuple[int, int]]) -> None:
    story = Story(bench, {"load_strategy": "full"})
    story.new(0)
    possible = [deed for deed in [*ARRIVALS, *CHANGES, "delete"] if deed != "load"]
    for kind, number in deeds:
        getattr(story, possible[kind % len(possible)])(number)
    story.load(0)
    for strategy in ("incremental", "chunked_backfill"):
        bench.set(story.row, is_active=False)
        table = f"{story.table}_{strategy[:4]}"
        other = bench.row(story.table, **KEYED | {"load_strategy": strategy, "destination_table_name": table})
        bench.succeed(other)
        assert bench.target_rows(table) == story.target
