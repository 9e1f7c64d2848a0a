"""The demo's databases: a shop as the source, the control database with how to load it, and Airflow's."""

from __future__ import annotations

from importlib import resources
from typing import Any

import psycopg

from airflow_dataloader.workspace.postgres import EmbeddedPostgres
from airflow_dataloader.workspace.secret_store import SecretFile

#: Databases of the demo's server.
CONTROL, SHOP, AIRFLOW = "dataloader", "shop", "airflow"
#: Catalog that ``control.sql`` loads into: the demo's own, made anew each time.
CATALOG = "dataloader_demo"
#: Scope that ``control.sql`` names.
SCOPE = "demo"


def create_databases(server: EmbeddedPostgres) -> None:
    """Make all databases anew, empty."""
    for name in (CONTROL, SHOP, AIRFLOW):
        server.drop_database(name)
        server.create_database(name)


def run_script(connection: psycopg.Connection[Any], name: str) -> None:
    """Run one of the demo's SQL files in one transaction."""
    script = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    with connection.transaction():
        connection.execute(script.encode())


def put_secrets(server: EmbeddedPostgres, secrets: SecretFile) -> None:
    """Store the source's login under the names that ``control.sql`` gives it."""
    values = {
        "host": "127.0.0.1",
        "port": str(server.port),
        "database": SHOP,
        "user": server.user,
        "password": server.password,
    }
    for name, value in values.items():
        secrets.put(SCOPE, f"shop-{name}", value)
