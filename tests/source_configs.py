"""Configurations and endpoints of PostgreSQL sources, with working defaults."""

from __future__ import annotations

from typing import Any

import psycopg

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint


def config(**overrides: Any) -> LoadConfig:
    """Return the configuration of an incremental load of ``public.t`` by ``id`` and ``at``."""
    return LoadConfig.from_snapshot(snapshot(**overrides))


def snapshot(**overrides: Any) -> dict[str, Any]:
    """Return what a claim freezes for such a load."""
    values: dict[str, Any] = {
        "config_id": 1,
        "db_config_key": "shop",
        "db_type": "postgresql",
        "db_config_value": {key: f"shop-{key}" for key in ("host", "port", "database", "user", "password")},
        "source_table_schema": "public",
        "source_table_name": "t",
        "target_catalog": "bronze",
        "target_schema": "shop",
        "target_table": "t",
        "load_strategy": "incremental",
        "incremental_column": "at",
        "primary_key_cols": "id",
    }
    return values | overrides


def endpoint(**overrides: Any) -> Endpoint:
    """Return an endpoint that nobody is at."""
    values: dict[str, Any] = {
        "db_type": "postgresql",
        "host": "db.example",
        "port": 5432,
        "database": "shop",
        "user": "reader",
        "password": "canary-secret",
        "application_name": "adl-test-1",
    }
    return Endpoint(**(values | overrides))


def endpoint_of(connection: psycopg.Connection, **overrides: Any) -> Endpoint:
    """Return the endpoint of the database that ``connection`` is open to."""
    info = connection.info
    values: dict[str, Any] = {
        "host": info.host,
        "port": info.port,
        "database": info.dbname,
        "user": info.user,
        "password": info.password,
    }
    return endpoint(**(values | overrides))


def connect_beside(connection: psycopg.Connection, **options: Any) -> psycopg.Connection:
    """Open another connection to the database that ``connection`` is open to."""
    info = connection.info
    return psycopg.connect(
        host=info.host,
        port=info.port,
        dbname=info.dbname,
        user=info.user,
        password=info.password,
        **options,
    )
