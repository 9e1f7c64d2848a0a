"""What is asked to learn how wide rows are; the answers are tested on a real server."""

from __future__ import annotations

from airflow_dataloader.core.fetch_size import RowWidth
from airflow_dataloader.sources.model import DescribedColumn
from airflow_dataloader.sources.postgresql.row_width import row_width, width_sql
from tests.source_configs import config

NOTE = DescribedColumn(name='no"te', base="text", declared="text")


def test_numbers_and_dates_are_as_wide_as_they_are() -> None:
    def ask(sql: str) -> list[tuple[object, ...]]:
        raise AssertionError(sql)

    described = [DescribedColumn(name=base, base=base, declared=base) for base in ("int8", "date")]
    found = row_width(ask, relation="t", described=described, config=config(), where=None)
    assert found == RowWidth(average=64, widest=64)


def test_a_huge_table_is_looked_at_in_few_places() -> None:
    assert "TABLESAMPLE SYSTEM (0.0000500000)" in width_sql("t", [NOTE], blocks=100_000_000, where="a > 1")
    assert "TABLESAMPLE SYSTEM (100.0000000000)" in width_sql("t", [NOTE], blocks=0, where=None)


def test_the_rows_of_a_view_are_those_of_the_window() -> None:
    sql = width_sql("v", [NOTE], blocks=None, where="a > 1 OR b")
    assert 'FROM (SELECT "no""te" FROM v WHERE a > 1 OR b LIMIT ' in sql
