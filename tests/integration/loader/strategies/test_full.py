"""``full`` from the row to the Delta commit."""

from __future__ import annotations

from airflow_dataloader.loader.observer import LogObserver, Moment
from tests.bench import Bench
from tests.observers import Interfering

ITEMS = "CREATE TABLE items (id integer PRIMARY KEY, name varchar(10), price numeric(10,2))"


def test_target_equals_source_after_every_load(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items SELECT i, 'n' || i, i / 4.0 FROM generate_series(1, 1000) i")
    row = bench.row()
    first = bench.succeed(row)
    assert first.receipt.rows_read == first.receipt.rows_inserted == 1000
    assert bench.target_rows() == bench.source_rows()
    bench.source.execute("DELETE FROM items WHERE id % 2 = 0")
    bench.source.execute("UPDATE items SET name = NULL WHERE id = 1")
    second = bench.succeed(row)
    assert second.receipt.target_version == first.receipt.target_version + 1
    assert bench.target_rows() == bench.source_rows()


def test_the_row_and_its_history_say_what_happened(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items VALUES (1, 'one', 1.25)")
    row = bench.row()
    bench.succeed(row)
    state, (load,) = bench.state(row), bench.history(row)
    assert (state.last_status, load.load_status) == ("Succeeded", "Succeeded")
    assert (load.rows_processed, load.rows_read, load.rows_inserted, load.target_version) == (1, 1, 1, 0)
    assert load.receipt["snapshot"] == "exported"
    assert load.receipt["columns"] == {"id": "int", "name": "string", "price": "decimal(10,2)"}


def test_an_empty_source_does_not_empty_a_filled_target(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items VALUES (1, 'one', 1.25)")
    row = bench.row()
    bench.succeed(row)
    before = bench.target_rows()
    bench.source.execute("DELETE FROM items")
    failed = bench.fail(row)
    assert "empty_source_policy" in failed.message
    assert bench.target_rows() == before
    bench.set(row, empty_source_policy="allow")
    bench.succeed(row)
    assert not bench.target_rows()


def test_an_empty_source_makes_an_empty_table_with_its_columns(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.succeed(bench.row())
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert dict(found.columns) == {"id": "int", "name": "string", "price": "decimal(10,2)"}


def test_a_query_takes_the_table_s_place(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items SELECT i, 'n', i FROM generate_series(1, 10) i")
    query = 'SELECT count(*) AS "How Many", sum(price) AS total FROM items -- all of them'
    bench.succeed(bench.row(source_table_name=None, query=query, destination_table_name="items"))
    found = bench.engine.inspect(bench.target(), "nobody")
    assert found is not None
    assert list(found.columns) == ["How_Many", "total"]
    assert bench.target_rows() == bench.source_rows(query)


def test_partitions_read_one_snapshot(bench: Bench) -> None:
    bench.source.execute(ITEMS)
    bench.source.execute("INSERT INTO items SELECT i, 'n' || i, i FROM generate_series(1, 50000) i")
    row = bench.row(num_partitions=4)
    result = bench.succeed(row)
    assert result.receipt.partitions == 4
    assert bench.target_rows() == bench.source_rows()


def test_a_partition_that_comes_while_its_table_is_read_fails_the_load(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (id integer) PARTITION BY RANGE (id)")
    bench.source.execute("CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (100)")
    bench.source.execute("INSERT INTO items SELECT generate_series(1, 99)")
    bench.source.execute("CREATE TABLE later AS SELECT generate_series(100, 199) AS id")
    row = bench.row(partition_column="id", num_partitions=2)
    attach = "ALTER TABLE items ATTACH PARTITION later FOR VALUES FROM (100) TO (200)"
    bench.observer = Interfering(Moment.PUBLISHING, lambda: bench.source.execute(attach))
    assert "public.later became part of what" in bench.fail(row).message
    assert bench.history(row)[-1].failure["transient"] is True
    bench.observer = LogObserver()
    assert bench.succeed(row).receipt.partitions == 2
    assert bench.target_rows() == bench.source_rows()
