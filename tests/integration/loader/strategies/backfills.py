"""A table that is filled in chunks."""

from __future__ import annotations

from tests.bench import Bench

CHUNKED = {"load_strategy": "chunked_backfill", "primary_key_cols": "id", "incremental_column": "at"}


def make(bench: Bench, months: int = 4, each: int = 5) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, name text, at timestamptz)")
    bench.source.execute(
        "INSERT INTO items SELECT m * 100 + i, 'old', timestamptz '2025-01-01' + m * interval '31 days' "
        f"+ i * interval '1 minute' FROM generate_series(0, {months - 1}) m, generate_series(1, {each}) i"
    )
