"""Stories of a table: what may happen to its rows at the source, and what its target must hold then."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from airflow_dataloader.loader.settlement import Result
from tests.bench import Bench

#: How far back a window reaches; late rows commit within that.
LOOKBACK = 5


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """A type of cursor, whose values are numbered: SQL from a number to a value, and back.

    ``chunk_size`` cuts a story's table into several chunks.
    """

    type: str
    value: str
    number: str
    lookback: str | None
    chunk_size: str | None
    #: Numbers that a window reaches back by it.
    reach: int = LOOKBACK


BIGINT = Cursor(type="bigint", value="{}", number="{}", lookback=f"{LOOKBACK}", chunk_size="8")
CURSORS = {
    "bigint": BIGINT,
    "numeric": Cursor(
        type="numeric(20, 3)", value="{} + 0.125", number="{} - 0.125", lookback=f"{LOOKBACK}",
        chunk_size="8",
    ),
    "timestamptz": Cursor(
        type="timestamptz",
        value="timestamptz '2020-01-01 00:00:00.000001+00' + ({}) * interval '1 minute'",
        number="round(extract(epoch FROM {} - timestamptz '2020-01-01 00:00+00') / 60)",
        lookback=f"{LOOKBACK} minutes",
        chunk_size="8 minutes",
    ),
    "timestamp": Cursor(
        type="timestamp",
        value="timestamp '2020-03-29 00:00' + ({}) * interval '1 minute'",
        number="extract(epoch FROM {} - timestamp '2020-03-29 00:00') / 60",
        lookback=f"{LOOKBACK} minutes",
        chunk_size="8 minutes",
    ),
    "date": Cursor(
        type="date", value="date '2020-01-01' + ({})::integer", number="{} - date '2020-01-01'",
        lookback=f"{LOOKBACK} days",
        chunk_size="8 days",
    ),
    # As a source writes times that are more precise than a timestamp. There is nothing before a text.
    "text": Cursor(
        type="text", value="'2020-01-01 00:00:00.' || lpad(({})::text, 7, '0')",
        number="right({}, 7)::integer", lookback=None, chunk_size=None, reach=0,
    ),
}  # fmt: skip

#: What a row says beside its strategy.
PLAIN = {"incremental_column": "at"}
KEYED = PLAIN | {"primary_key_cols": "id"}

#: A scan that may delete as much as it finds.
SCANNED = {"delete_cron": "@yearly", "shrink_guard_percent": 100}

ROLLING = {"load_strategy": "rolling", "rolling_column": "day", "rolling_days": 4}

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
    "append_only": (PLAIN | {"load_strategy": "append_only"}, [*ARRIVALS, "double"]),
    "append_only by key": (KEYED | {"load_strategy": "append_only"}, ARRIVALS),
    "check_and_load": (KEYED | {"load_strategy": "check_and_load"}, ARRIVALS + CHANGES),
    "chunked_backfill": (KEYED | {"load_strategy": "chunked_backfill"}, [*ARRIVALS, *CHANGES, "backfill"]),
    "rolling": (ROLLING, [*ARRIVALS, *CHANGES, "delete", "other_day"]),
    "rolling keep": (
        ROLLING | {"rolling_retention": "keep"}, [*ARRIVALS, *CHANGES, "delete", "other_day"],
    ),
}  # fmt: skip

#: A deed of a story and its number.
DEEDS = st.tuples(st.integers(0, 99), st.integers(0, 9))


class Story:
    """A table and its row; every deed takes a number from 0 to 9."""

    def __init__(self, bench: Bench, values: dict[str, Any], cursor: Cursor = BIGINT) -> None:
        self.bench, self.table = bench, f"t_{uuid4().hex[:12]}"
        self.now, self.bound, self.rows = 100, 100, 0
        self.expected: Counter[tuple[Any, ...]] = Counter()
        self._cursor = cursor
        bench.source.execute(f"CREATE TABLE {self.table} (id integer, at {cursor.type}, day date, v integer)")
        lookback = {"lookback": cursor.lookback} if "incremental_column" in values else {}
        chunks = {"chunk_size": cursor.chunk_size} if values["load_strategy"] == "chunked_backfill" else {}
        self.row = bench.row(self.table, **values | lookback | chunks)

    def new(self, number: int) -> None:
        for _ in range(number % 3 + 1):
            self.now += 1
            self._insert(self.now, number)

    def late(self, number: int) -> None:
        self._insert(self.bound - number % (self._cursor.reach + 1), number)

    def tie(self, number: int) -> None:
        self._insert(self.bound, number)

    def no_cursor(self, number: int) -> None:
        self._insert(None, number)

    def double(self, number: int) -> None:
        """Put rows there again that a window still reaches."""
        self._run(f"INSERT INTO {{}} SELECT * FROM {{}} WHERE ({self._reached}) AND v % 10 <= {number}")

    def change(self, number: int) -> None:
        self.now += 1
        self._run(f"UPDATE {{}} SET v = v + 10, at = {self._at(self.now)} WHERE id % 10 = {number}")

    def touch(self, number: int) -> None:
        """Change rows without their cursor, as far back as every window reaches."""
        self._run(f"UPDATE {{}} SET v = v + 10 WHERE ({self._reached}) AND id % 3 = {number % 3}")

    def lose_cursor(self, number: int) -> None:
        self._run(f"UPDATE {{}} SET at = NULL WHERE id % 10 = {number}")

    def delete(self, number: int) -> None:
        self._run(f"DELETE FROM {{}} WHERE id % 10 = {number} AND id > 1")

    def come_back(self, number: int) -> None:
        """Put back what was deleted, newer than everything."""
        self.now += 1
        self._run(
            f"INSERT INTO {{}} SELECT i, {self._at(self.now)}, NULL, {number} "
            f"FROM generate_series(1, {self.rows}) i "
            f"WHERE i % 10 = {number} AND i NOT IN (SELECT id FROM {{}})"
        )

    def other_day(self, number: int) -> None:
        self._run(f"UPDATE {{}} SET day = {_day(number)} WHERE id % 3 = 0 AND id > 1")

    def backfill(self, number: int) -> None:
        self.bench.set(self.row, load_strategy="chunked_backfill")
        self.load(number)

    def load(self, number: int) -> None:
        """Load, and remember how far that came; where it scans, by every other number."""
        self.ask_for_scan(number)
        self.loaded(self.bench.succeed(self.row))

    def ask_for_scan(self, number: int) -> None:
        """Let the next load look for deleted rows, by every other number, where the row does so at all."""
        if number % 2 == 0 and self.bench.state(self.row).delete_cron:
            self.bench.set(self.row, next_delete_scan=datetime(2020, 1, 1, tzinfo=UTC))

    def loaded(self, result: Result) -> None:
        """Remember what the target holds after a load of the source as it is."""
        self.seen()
        state = self.bench.state(self.row)
        if state.load_strategy != "rolling":
            self.expected = self.bench.source_rows(f"SELECT * FROM {self.table}")
            return
        first = date.fromisoformat(str(result.receipt.low))
        keeps = state.rolling_retention == "keep"
        older = {row: n for row, n in self.expected.items() if keeps and row[2] < first}
        window = self.bench.source_rows(f"SELECT * FROM {self.table} WHERE day >= '{first}'")
        self.expected = Counter(older) + window

    def seen(self) -> None:
        """Remember how far a load that is reading now may come: what is late by more than that is lost."""
        number = self._cursor.number.format("max(at)")
        query = f"SELECT greatest({number}, {self.bound})::integer FROM {self.table}"
        ((self.bound,),) = self.bench.source.execute(query).fetchall()

    @property
    def target(self) -> Counter[tuple[Any, ...]]:
        rows = self.bench.target_rows(self.table)
        # The fifth column is that of the marks.
        return Counter({row[:4]: n for row, n in rows.items() if len(row) == 4 or row[4] is None})

    @property
    def _reached(self) -> str:
        return f"at IS NULL OR at >= {self._at(self.bound - self._cursor.reach)}"

    def _at(self, number: int) -> str:
        return self._cursor.value.format(number)

    def _insert(self, at: int | None, number: int) -> None:
        self.rows += 1
        cursor = "NULL" if at is None else self._at(at)
        # One row is always in the window: an empty one would be refused.
        day = _day(0 if self.rows == 1 else number)
        self._run(f"INSERT INTO {{}} VALUES ({self.rows}, {cursor}, {day}, {number})")

    def _run(self, statement: str) -> None:
        self.bench.source.execute(statement.replace("{}", self.table))


def _day(number: int) -> str:
    return "NULL" if number == 9 else f"(now() AT TIME ZONE 'UTC')::date - {number}"
