"""One row a key, in SQL."""

from __future__ import annotations

from airflow_dataloader.loader.engines.protocol import Deduplication
from airflow_dataloader.loader.engines.spark.dedup import chosen, rank, rank_column
from tests.planned import column


def test_the_newest_cursor_comes_first_and_every_column_breaks_ties() -> None:
    columns = (column("k"), column("at"), column("x", "double"))
    assert rank(columns, Deduplication(keys=("k",), cursor="at")) == (
        "ROW_NUMBER() OVER (PARTITION BY `k` ORDER BY `at` DESC NULLS FIRST, `k` DESC NULLS LAST, "
        "`at` DESC NULLS LAST, CAST(`x` AS STRING) DESC NULLS LAST)"
    )


def test_without_a_cursor_all_columns_decide() -> None:
    text = rank((column("k"),), Deduplication(keys=("k",), cursor=None))
    assert text == "ROW_NUMBER() OVER (PARTITION BY `k` ORDER BY `k` DESC NULLS LAST)"


def test_the_rank_has_a_name_of_its_own() -> None:
    columns = (column("_adl_rank"), column("_ADL_rank_"))
    assert rank_column(columns) == "_adl_rank__"
    assert chosen(columns, Deduplication(keys=("a", "b"), cursor=None)) == (
        "`_adl_rank__` = 1 AND `a` IS NOT NULL AND `b` IS NOT NULL"
    )
