"""Questions for digests; what they answer is tested on real servers."""

from __future__ import annotations

from airflow_dataloader.core.comparison import Compared, Parts
from airflow_dataloader.core.strategy import ValuePolicy
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.digest import (
    SAMPLE,
    digests,
    digests_sql,
    key_cuts,
    key_cuts_sql,
    within_parts,
)
from airflow_dataloader.sources.postgresql.planning import plan_columns

COLUMNS = plan_columns(
    tuple(
        DescribedColumn(name=name, base=base, declared=base) for name, base in (("id", "int8"), ("v", "text"))
    ),
    ValuePolicy.FAIL,
).columns
ID = COLUMNS[0]
RANGES = Compared(columns=COLUMNS, keys=(ID,), parts=Parts(count=3, column=ID, cuts=("10", "20")))


def test_ranges_are_numbered_by_the_source() -> None:
    sql = digests_sql("t", RANGES, where="id > 0")
    assert "coalesce(width_bucket(k, ARRAY[CAST('10' AS int8), CAST('20' AS int8)]), 0) AS part" in sql
    assert " FROM t WHERE id > 0 OFFSET 0" in sql


def test_without_a_key_the_row_s_own_hash_deals_the_parts_out() -> None:
    compared = Compared(columns=COLUMNS, keys=(), parts=Parts(count=8))
    assert digests_sql("t", compared, where=None).startswith(
        "SELECT CAST(CAST('x' || substr(h, 1, 15) AS bit(60)) AS int8) % 8 AS part, count(*), "
    )


def test_parts_are_found_again() -> None:
    assert within_parts(RANGES, [2, 0]) == (
        '("id" < CAST(\'10\' AS int8) OR "id" IS NULL) OR ("id" >= CAST(\'20\' AS int8))'
    )
    hashed = within_parts(Compared(columns=COLUMNS, keys=(), parts=Parts(count=8)), [5, 3])
    assert hashed.endswith(" % 8 IN (3, 5)")
    assert within_parts(Compared(columns=COLUMNS, keys=(), parts=Parts(count=1)), [0]) == "true"


def test_of_many_keys_some_are_chosen_to_cut_at() -> None:
    assert " % 3 = 0" in key_cuts_sql("t", ID, where=None, rows=3 * SAMPLE, parts=64)
    assert "hash" not in key_cuts_sql("t", ID, where=None, rows=SAMPLE, parts=64)


def test_a_value_that_fills_several_ranges_makes_one() -> None:
    found = key_cuts(lambda _: [("1",), ("5",), ("5",), ("9",)], "t", ID, where=None, rows=4, parts=4)
    assert found == ("5", "9")


def test_a_server_with_another_encoding_gives_no_digests() -> None:
    assert digests(lambda _: [("LATIN1",)], "t", RANGES, where=None) is None
