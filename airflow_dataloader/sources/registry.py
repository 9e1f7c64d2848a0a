"""From a row's ``db_type`` to its dialect."""

from __future__ import annotations

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.sources.dialect import Dialect
from airflow_dataloader.sources.postgresql.dialect import PostgresqlDialect

_DIALECTS: dict[str, Dialect] = {"postgresql": PostgresqlDialect()}


def dialect_of(db_type: str) -> Dialect:
    """Return the dialect of ``db_type``; raise ConfigurationError for one that cannot be loaded yet."""
    try:
        return _DIALECTS[db_type]
    except KeyError:
        raise ConfigurationError(
            f"Sources of type {db_type!r} cannot be loaded by this version.",
            field="db_type",
            fix=f"use {' or '.join(sorted(_DIALECTS))}, or install a version that loads {db_type}",
        ) from None
