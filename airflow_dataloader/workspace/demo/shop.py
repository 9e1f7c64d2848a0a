"""The demo's databases: a shop as the source, the control database with how to load it, and Airflow's."""

from __future__ import annotations

from contextlib import closing
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
        create_database(server, name)


def create_database(server: EmbeddedPostgres, name: str) -> None:
    """Make one of them anew, empty."""
    server.drop_database(name)
    server.create_database(name)


#: Which scripts have run in a database, for :func:`run_once`.
_MARKS = "CREATE TABLE IF NOT EXISTS public.demo_script (name text PRIMARY KEY)"
_MARK = "INSERT INTO public.demo_script VALUES (%s) ON CONFLICT DO NOTHING"


def run_script(connection: psycopg.Connection[Any], name: str) -> None:
    """Run one of the demo's SQL files in one transaction."""
    with connection.transaction():
        connection.execute(_script(name))


def run_once(url: str, name: str) -> None:
    """Run one of them in one transaction, unless it has run in this database before.

    So it may be asked for again where nobody knows whether it was committed.
    """
    with closing(psycopg.connect(url, autocommit=True)) as connection, connection.transaction():
        connection.execute(_MARKS)
        if connection.execute(_MARK, (name,)).rowcount:
            connection.execute(_script(name))


def _script(name: str) -> bytes:
    return resources.files(__package__).joinpath(name).read_bytes()


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
