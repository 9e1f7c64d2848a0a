"""A source table to have accidents with, and a gate that holds its readers up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from airflow_dataloader.loader.run import LoadIds
from tests.bench import Bench
from tests.faults.accident import Victim
from tests.sessions import PASSES_THE_GATE, Gate, at_the_gate, sessions
from tests.waiting import eventually


def make_items(bench: Bench, table: str = "items", rows: int = 2000) -> None:
    """Create a table of items that were updated a minute apart."""
    bench.source.execute(
        f"CREATE TABLE {table} (id integer PRIMARY KEY, name text, updated_at timestamptz NOT NULL)"
    )
    bench.source.execute(
        f"INSERT INTO {table} SELECT i, 'n' || i, timestamptz '2026-01-01' + i * interval '1 minute' "
        "FROM generate_series(1, %s) i",
        (rows,),
    )


def change_items(
    bench: Bench, round_: int = 1, table: str = "items", *, strategy: str = "incremental"
) -> None:
    """Update some items and add some, all newer than whatever there was in an earlier round.

    None is updated for a strategy that only adds.
    """
    when = f"timestamptz '2026-01-01' + interval '{round_} months'"
    if strategy != "append_only":
        bench.source.execute(
            f"UPDATE {table} SET name = 'round {round_}', updated_at = {when} WHERE id % {5 + 2 * round_} = 0"
        )
    bench.source.execute(
        f"INSERT INTO {table} SELECT n + i, 'new', {when} + i * interval '1 second' "
        f"FROM generate_series(1, 100) i, (SELECT max(id) AS n FROM {table}) m"
    )


#: What a row says beside its strategy. Every row of ``items`` is in the rolling window.
_NEEDS: dict[str, dict[str, Any]] = {
    "full": {},
    "append_only": {"incremental_column": "updated_at"},
    "rolling": {"rolling_column": "updated_at", "rolling_days": 100_000},
    "rolling keep": {
        "load_strategy": "rolling",
        "rolling_column": "updated_at",
        "rolling_days": 100_000,
        "rolling_retention": "keep",
    },
}
_KEYED = {"primary_key_cols": "id", "incremental_column": "updated_at"}


def row_of(bench: Bench, strategy: str, **overrides: Any) -> int:
    """Add the row that loads ``items``; ``strategy`` may have the word of its retention behind it."""
    return bench.row(**{"load_strategy": strategy, **_NEEDS.get(strategy, _KEYED), **overrides})


def loaded_and_changed(bench: Bench, strategy: str, **overrides: Any) -> int:
    """Make ``items``, load them once, and change some: what comes next is a later load."""
    make_items(bench)
    row = row_of(bench, strategy, **overrides)
    bench.succeed(row)
    change_items(bench, 1)
    return row


def make_gate(bench: Bench, rows: int = 30_000) -> None:
    """Put a view called ``items`` over a table ``base``; its readers wait at the last row while it is closed.

    The last of the first ``rows``, a multiple of 100, and of every round of changes.

    Only who wants the names waits: counts and bounds pass.
    """
    make_items(bench, "base", rows)
    bench.source.execute(f"""
        CREATE FUNCTION gate(id integer, name text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN
            IF id >= {rows} AND id % 100 = 0 THEN PERFORM {PASSES_THE_GATE}; END IF;
            RETURN name;
        END $$""")
    bench.source.execute("CREATE VIEW items AS SELECT id, gate(id, name) AS name, updated_at FROM base")


@contextmanager
def closed_gate(bench: Bench) -> Iterator[Gate]:
    """Close the gate, at the latest until the block ends."""
    database = bench.source.info.dbname
    with psycopg.connect(bench.server.url(database), autocommit=True) as connection:
        yield Gate(connection)


def held_up(bench: Bench, ids: LoadIds) -> bool:
    """Return whether a reader of the load stands at the gate."""
    return at_the_gate(bench.source, f"adl-%-{ids.metadata_id}")


def readers(bench: Bench, ids: LoadIds) -> int:
    """Return how many connections the load has at the source."""
    return sessions(bench.source, f"adl-%-{ids.metadata_id}")


def wait_until_held_up(bench: Bench, ids: LoadIds, reading: Victim) -> None:
    """Wait until a read is really under way, and stands at the gate."""

    def standing() -> bool:
        assert reading.process.poll() is None, reading.end()
        return held_up(bench, ids)

    eventually("a read at the gate", standing)
