"""Rows of the control database with working defaults; a keyword overrides the column of its name."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

_numbers = count(1)


def add_source(engine: Engine, key: str = "shop", **overrides: Any) -> str:
    """Insert a PostgreSQL source, its secrets called ``<key>-host``, ``<key>-port``, …; return its key."""
    from sqlalchemy import insert

    from airflow_dataloader.control.tables import dbconfig

    values: dict[str, Any] = {
        "db_config_key": key,
        "db_type": "postgresql",
        "db_kv_scope": "test",
        "db_config_value": {
            name: f"{key}-{name}" for name in ("host", "port", "database", "user", "password")
        },
    }
    with engine.begin() as connection:
        connection.execute(insert(dbconfig).values(values | overrides))
    return key


def add_row(engine: Engine, **overrides: Any) -> int:
    """Insert an active row of the source ``shop``, each with a name of its own; return its config_id."""
    from sqlalchemy import insert

    from airflow_dataloader.control.tables import table_control

    name = f"table_{next(_numbers)}"
    values: dict[str, Any] = {
        "is_active": True,
        "db_config_key": "shop",
        "source_table_schema": "public",
        "source_table_name": name,
        "destination_table_catalog": "bronze",
        "destination_table_schema": "shop",
        "destination_table_name": name,
        "load_strategy": "full",
    }
    statement = insert(table_control).values(values | overrides).returning(table_control.c.config_id)
    with engine.begin() as connection:
        return int(connection.execute(statement).scalar_one())
