"""The dialect as loaders see it."""

from __future__ import annotations

from airflow_dataloader.sources.dialect import Dialect
from airflow_dataloader.sources.postgresql.dialect import PostgresqlDialect


def test_every_question_of_a_loader_has_an_answer() -> None:
    asked = {name for name in vars(Dialect) if not name.startswith("_")}
    assert asked <= set(dir(PostgresqlDialect))


def test_counts_and_probes_read_the_window() -> None:
    dialect = PostgresqlDialect()
    assert dialect.count_sql('"t"', None) == 'SELECT count(*) FROM "t"'
    assert dialect.count_sql('"t"', "a OR b") == 'SELECT count(*) FROM "t" WHERE a OR b'
    both = 'SELECT count(*), count(*) FILTER (WHERE c) FROM "t" WHERE a'
    assert dialect.count_sql('"t"', "a", "c") == both
    assert dialect.probe_sql('"t"', "a") == 'SELECT EXISTS (SELECT FROM "t" WHERE a)'
