"""The demo's databases: a shop as the source, and the control database that describes how to load it."""

from __future__ import annotations

from importlib import resources
from typing import Any

import psycopg

from airflow_dataloader.workspace.postgres import EmbeddedPostgres

#: Databases of the demo's server.
CONTROL, SHOP = "dataloader", "shop"
#: Catalog that ``control.sql`` loads into: the demo's own, made anew each time.
CATALOG = "dataloader_demo"
#: Scope that ``control.sql`` names.
SCOPE = "DEMO"


def create_databases(server: EmbeddedPostgres) -> None:
    """Make both databases anew, empty."""
    for name in (CONTROL, SHOP):
        server.drop_database(name)
        server.create_database(name)


def run_script(connection: psycopg.Connection[Any], name: str) -> None:
    """Run one of the demo's SQL files in one transaction."""
    script = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    with connection.transaction():
        connection.execute(script.encode())


def secrets(server: EmbeddedPostgres) -> dict[str, str]:
    """Return the source's login, as environment variables that stand in for a secret scope."""
    values = {
        "HOST": "127.0.0.1",
        "PORT": str(server.port),
        "DATABASE": SHOP,
        "USER": server.user,
        "PASSWORD": server.password,
    }
    return {f"DATALOADER_SECRET_{SCOPE}_SHOP_{name}": value for name, value in values.items()}
