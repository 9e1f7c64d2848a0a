"""A source whose clock was ahead, and is set right: what is written then lies below the watermark."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench import Bench

#: Functions that hide the server's own, in a schema that is searched first: a clock that can be set.
CLOCK = """
    CREATE SCHEMA clock;
    CREATE TABLE clock.ahead AS SELECT interval '2 hours' AS amount;
    CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.now() + amount FROM clock.ahead';
    CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT pg_catalog.clock_timestamp() + amount FROM clock.ahead';"""


@pytest.fixture(autouse=True)
def clock(bench: Bench) -> None:
    bench.source.execute(CLOCK)
    bench.source.execute(
        f"ALTER DATABASE {bench.source.info.dbname} SET search_path = clock, pg_catalog, public"
    )
    bench.source.execute("SET search_path = clock, pg_catalog, public")
    bench.source.execute("CREATE TABLE public.items (id integer, at timestamptz)")


def write(bench: Bench, number: int) -> None:
    bench.source.execute("INSERT INTO items SELECT %s, clock_timestamp()", [number])


def set_clock(bench: Bench, ahead: str) -> None:
    bench.source.execute("UPDATE clock.ahead SET amount = CAST(%s AS interval)", [ahead])


@pytest.mark.parametrize("ahead", ["0 hours", pytest.param("1 hour 55 minutes", marks=pytest.mark.faults)])
@pytest.mark.parametrize(
    "values",
    [
        {"load_strategy": "incremental", "primary_key_cols": "id"},
        {"load_strategy": "check_and_load", "primary_key_cols": "id"},
        {"load_strategy": "append_only"},
    ],
    ids=lambda values: values["load_strategy"],
)
def test_rows_that_are_written_after_a_clock_was_set_back_arrive(
    bench: Bench, values: dict[str, Any], ahead: str
) -> None:
    row = bench.row(incremental_column="at", lookback="15 minutes", source_table_schema="public", **values)
    write(bench, 1)
    bench.succeed(row)
    bench.succeed(row)
    set_clock(bench, ahead)
    write(bench, 2)
    assert "lies beyond the source's clock" in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()
    write(bench, 3)
    assert "lies beyond" not in bench.succeed(row).message
    assert bench.target_rows() == bench.source_rows()


def test_a_watermark_beyond_the_clock_that_a_person_set_is_that_person_s_word(bench: Bench) -> None:
    row = bench.row(
        load_strategy="incremental",
        primary_key_cols="id",
        incremental_column="at",
        source_table_schema="public",
    )
    write(bench, 1)
    bench.succeed(row)
    bench.set(row, incremental_value="2100-01-01 00:00:00+00")
    assert bench.succeed(row).receipt.low == "2100-01-01 00:00:00+00"
