"""Which sources can be loaded."""

from __future__ import annotations

import pytest

from airflow_dataloader.core.problems import DB_TYPES, LOADED_DB_TYPES
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.postgresql.dialect import PostgresqlDialect
from airflow_dataloader.sources.registry import dialect_of


def test_postgresql_can_be_loaded() -> None:
    assert isinstance(dialect_of("postgresql"), PostgresqlDialect)


@pytest.mark.parametrize("db_type", sorted(LOADED_DB_TYPES))
def test_what_a_claim_s_refusal_recommends_can_be_loaded(db_type: str) -> None:
    assert dialect_of(db_type)


@pytest.mark.parametrize("db_type", sorted(DB_TYPES - LOADED_DB_TYPES))
def test_every_other_type_is_refused_by_name(db_type: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{db_type}' cannot be loaded") as refusal:
        dialect_of(db_type)
    assert refusal.value.field == "db_type"
    assert "postgresql" in (refusal.value.fix or "")
