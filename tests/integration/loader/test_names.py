"""Names that mean something else to Delta, or to the source, than to the table that has them."""

from __future__ import annotations

import pytest

from tests.bench import Bench

MERGED = {"load_strategy": "incremental", "primary_key_cols": "id", "incremental_column": "at"}


def test_names_of_deletion_vectors_are_merged_as_others_are(bench: Bench) -> None:
    bench.source.execute(
        'CREATE TABLE items (id int, "filePath" text, rowindexcol int, "deletionVectorId" text, at int)'
    )
    bench.source.execute("INSERT INTO items SELECT i, '/' || i, i, 'd', i FROM generate_series(1, 20) i")
    row = bench.row(**MERGED, lookback="100")
    bench.succeed(row)
    assert bench.succeed(row).receipt.rows_updated == 0
    bench.source.execute("""UPDATE items SET "filePath" = 'elsewhere', at = 21 WHERE id = 1""")
    bench.source.execute("INSERT INTO items VALUES (30, '/new', 1, 'd', 22)")
    receipt = bench.succeed(row).receipt
    assert (receipt.rows_inserted, receipt.rows_updated) == (1, 1)
    assert bench.target_rows() == bench.source_rows()


def test_a_key_of_such_a_name_is_looked_for_at_the_source(bench: Bench) -> None:
    bench.source.execute("CREATE TABLE items (filepath text, at int)")
    bench.source.execute("INSERT INTO items SELECT '/' || i, i FROM generate_series(1, 20) i")
    row = bench.row(
        **(MERGED | {"primary_key_cols": "filepath"}), delete_policy="scan", delete_cron="0 3 1 1 *"
    )
    bench.succeed(row)
    bench.source.execute("DELETE FROM items WHERE at = 3")
    bench.make_scan_due(row)
    assert bench.succeed(row).receipt.rows_deleted == 1
    assert bench.target_rows() == bench.source_rows()


@pytest.mark.parametrize("name", ["_tmp_metadata_row_index", "__delta_internal_is_row_deleted"])
def test_a_name_by_which_nobody_could_read_the_target_is_refused(bench: Bench, name: str) -> None:
    bench.source.execute(f"CREATE TABLE items (id int, {name} text)")
    bench.source.execute("INSERT INTO items VALUES (1, 'a')")
    result = bench.load(bench.row())
    assert result.status == "Failed"
    assert f"Column '{name}'" in result.message
    assert "AS in query" in result.message
    assert bench.engine.inspect(bench.target(), "any") is None


def test_a_date_is_one_although_another_type_of_that_name_comes_first(bench: Bench) -> None:
    """As with an extension that gives a database Oracle's types."""
    bench.source.execute("CREATE SCHEMA oracle")
    bench.source.execute("CREATE DOMAIN oracle.date AS timestamp(0)")
    bench.source.execute("CREATE TABLE items (id int, day pg_catalog.date, at timestamp)")
    bench.source.execute("INSERT INTO items SELECT i, now(), now() FROM generate_series(1, 3) i")
    name = bench.source.info.dbname
    bench.source.execute(f'ALTER DATABASE {name} SET search_path = oracle, "$user", public, pg_catalog')
    row = bench.row(**(MERGED | {"incremental_column": "day"}))
    bench.succeed(row)
    low = bench.state(row).incremental_value
    assert len(low) == len("2026-01-01")
    bench.source.execute("INSERT INTO items VALUES (4, now(), now())")
    assert bench.succeed(row).receipt.low == low
    assert bench.target_rows() == bench.source_rows()
    bench.set(row, load_strategy="rolling", rolling_column="at", rolling_days=2)
    bench.succeed(row)
    assert bench.target_rows() == bench.source_rows()
