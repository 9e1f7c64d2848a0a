"""SIGKILL at every named moment: after the next load the target equals the source, no commit repeated."""

from __future__ import annotations

import pytest

from tests.bench import Bench
from tests.faults.accident import give_up, healthy, output, victim

MOMENTS = ("started", "connected", "planned", "staged", "publishing", "published", "settling")


def make_items(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer PRIMARY KEY, name text, updated_at timestamptz)")
    bench.source.execute(
        "INSERT INTO items SELECT i, 'n' || i, timestamptz '2026-01-01' + i * interval '1 minute' "
        "FROM generate_series(1, 2000) i"
    )


def change_items(bench: Bench) -> None:
    bench.source.execute("UPDATE items SET name = 'changed', updated_at = '2026-02-01' WHERE id % 7 = 0")
    bench.source.execute(
        "INSERT INTO items SELECT i, 'new', timestamptz '2026-02-01' + i * interval '1 minute' "
        "FROM generate_series(2001, 2500) i"
    )


def row_of(bench: Bench, strategy: str) -> int:
    if strategy == "full":
        return bench.row()
    return bench.row(load_strategy="incremental", primary_key_cols="id", incremental_column="updated_at")


#: A full load stages nothing.
KILLS = [
    (strategy, moment)
    for strategy in ("full", "incremental")
    for moment in MOMENTS
    if (strategy, moment) != ("full", "staged")
]


@pytest.mark.parametrize("first", [True, False], ids=["first load", "later load"])
@pytest.mark.parametrize(("strategy", "moment"), KILLS)
def test_killed_at(bench: Bench, control_url: str, strategy: str, moment: str, *, first: bool) -> None:
    make_items(bench)
    row = row_of(bench, strategy)
    if not first:
        bench.succeed(row)
        change_items(bench)
    with victim(bench, control_url, bench.claim(row), moment=moment) as process:
        assert f"moment {moment}" in output(process)
        assert process.returncode == -9
    give_up(bench, row)
    change_items_again(bench)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
    healthy(bench, row)


def change_items_again(bench: Bench) -> None:
    """Change the source between the accident and the next load, so that a commit cannot pass for another."""
    bench.source.execute("UPDATE items SET name = 'later', updated_at = '2026-03-01' WHERE id % 11 = 0")
