"""``load_columns_policy``: every row says which load wrote it, and no comparison looks at that."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dataloader.core.load_columns import LOAD_COLUMNS, LOAD_ID, LOADED_AT
from tests.bench import Bench
from tests.integration.loader.strategy_rows import STRATEGIES

ITEMS = "CREATE TABLE items (id integer, name text, at timestamptz)"


def begin(bench: Bench, strategy: str, **values: Any) -> int:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items VALUES (1, 'one', now()), (2, 'two', now()), (3, 'three', now())")
    return bench.row(**(STRATEGIES[strategy] | {"load_columns_policy": "id_and_time"} | values))


def writers(bench: Bench, row: int) -> dict[int, int | None]:
    """Return the load that each row names as its writer, and insist that it names that load's beginning."""
    began = {load.id: load.load_start_time for load in bench.history(row)}
    held = bench.engine.rows(bench.target(), ["id", LOAD_ID, LOADED_AT])
    assert all(at == began.get(load) for _, load, at in held)
    return {number: load for number, load, _ in held}


def rows(bench: Bench) -> list[Any]:
    return sorted(bench.engine.rows(bench.target(), ["id", "name", "at"]))


#: The others are played in the long run.
SAMPLE = {"incremental", "append_only", "rolling"}


@pytest.mark.parametrize(
    "strategy",
    [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.faults) for name in STRATEGIES],
)
def test_each_row_names_the_load_that_wrote_it_last(bench: Bench, strategy: str) -> None:
    row = begin(bench, strategy)
    first = bench.succeed(row)
    assert bench.found().columns == {"id": "int", "name": "string", "at": "timestamp", **LOAD_COLUMNS}
    assert writers(bench, row) == dict.fromkeys((1, 2, 3), first.metadata_id)
    bench.set(row, load_strategy=STRATEGIES[strategy]["load_strategy"])
    again = bench.succeed(row)
    replaced = strategy in {"full", "chunked_backfill", "rolling", "keep"}
    same = again.metadata_id if replaced else first.metadata_id
    assert writers(bench, row) == dict.fromkeys((1, 2, 3), same)
    assert again.receipt.rows_published == (3 if replaced else 0)
    bench.source.execute("INSERT INTO items VALUES (4, 'four', now())")
    if strategy != "append_only":
        bench.source.execute("UPDATE items SET name = 'zwei', at = now() WHERE id = 2")
    last = bench.succeed(row).metadata_id
    merged = dict.fromkeys(("incremental", "check_and_load", "chunked_backfill"), (2, 4))
    written = {"append_only": (4,), **merged}
    expected = dict.fromkeys((1, 2, 3), same) | dict.fromkeys(written.get(strategy, (1, 2, 3, 4)), last)
    assert writers(bench, row) == expected
    assert rows(bench) == sorted(bench.source_rows())


@pytest.mark.parametrize("policy", [pytest.param("evolve", marks=pytest.mark.faults), "freeze"])
def test_switched_on_and_off_for_a_table_that_is_there(bench: Bench, policy: str) -> None:
    row = begin(bench, "incremental", load_columns_policy="none", schema_policy=policy)
    bench.succeed(row)
    bench.set(row, load_columns_policy="id_and_time", staging_model_processed=True)
    on = bench.succeed(row)
    assert set(LOAD_COLUMNS) < bench.found().columns.keys()
    assert on.receipt.columns == bench.found().columns
    assert bench.state(row).staging_model_processed is False
    assert writers(bench, row) == dict.fromkeys((1, 2, 3))
    bench.source.execute("UPDATE items SET name = 'x', at = now() WHERE id <= 2")
    second = bench.succeed(row)
    assert writers(bench, row) == {1: second.metadata_id, 2: second.metadata_id, 3: None}
    bench.set(row, load_columns_policy="none")
    bench.source.execute("UPDATE items SET name = 'y', at = now() WHERE id = 2")
    bench.source.execute("INSERT INTO items VALUES (4, 'four', now())")
    off = bench.succeed(row)
    assert writers(bench, row) == {1: second.metadata_id, 2: None, 3: None, 4: None}
    assert off.receipt.columns_gone == ()
    assert rows(bench) == sorted(bench.source_rows())


@pytest.mark.parametrize(("policy", "stay"), [("evolve", False), ("freeze", True)])
def test_switched_off_for_a_table_that_is_replaced(bench: Bench, policy: str, stay: bool) -> None:
    row = begin(bench, "full", schema_policy=policy)
    bench.succeed(row)
    bench.set(row, load_columns_policy="none")
    bench.succeed(row)
    assert (LOAD_ID in bench.found().columns) is stay
    if stay:
        assert writers(bench, row) == dict.fromkeys((1, 2, 3))


def test_a_source_that_has_such_a_column(bench: Bench) -> None:
    row = begin(bench, "full")
    bench.source.execute('ALTER TABLE items ADD "_ADL_load_id" bigint')
    failed = bench.fail(row)
    assert "'_ADL_load_id'" in failed.message
    assert "load_columns_policy" in failed.message
    bench.set(row, load_columns_policy="none")
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
