"""The control database behind an Airflow connection."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import Connection
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine

from airflow_dataloader.control.connect import create_engine, open_connection
from airflow_dataloader.control.transaction import LAST, transaction
from airflow_dataloader.control.url import read_url, resolve_url
from airflow_dataloader.defaults import CONTROL_CONN_ID
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError


class ControlHook(PostgresHook):
    """Opens the control database as every other part of the package does, TLS rule included.

    :param control_conn_id: the Airflow connection; any type whose host is a PostgreSQL server will do.
    """

    conn_name_attr = "control_conn_id"
    default_conn_name = CONTROL_CONN_ID
    conn_type = "dataloader_control"
    hook_name = "Dataloader control database"

    def engine(self) -> Engine:
        """Return an engine; nothing is connected yet, and it shows no password.

        Raises ConfigurationError, naming the connection, where it cannot lead to a control database.
        """
        return create_engine(self.control_url())

    def control_url(self) -> str:
        """Return the URL, password included: for an engine, or for the environment of a process."""
        return self.url_of(self.get_connection(self.get_conn_id()))

    def url_of(self, conn: Connection) -> str:
        """Return the URL that a connection stands for, wherever it was looked up."""
        given: dict[str, Any] = {
            "host": conn.host,
            "port": conn.port,
            "dbname": conn.schema,
            "user": conn.login,
            "password": conn.password,
        }
        extra = {
            name: value
            for name, value in self._extra_of(conn).items()
            if name not in self.ignored_extra_options and value not in (None, "")
        }
        for name, value in extra.items():
            if not isinstance(value, str | int | float):
                raise self._refused(
                    f"has an extra field {name!r} that is neither text nor number",
                    "give it a value that PostgreSQL's client knows, or take it out",
                )
        try:
            conninfo = make_conninfo(**({name: value for name, value in given.items() if value} | extra))
        except psycopg.Error:
            raise self._refused("holds an extra field that PostgreSQL's client does not know") from None
        environment = os.environ.get("DATALOADER_ENVIRONMENT", "")
        try:
            url = resolve_url({"DATALOADER_CONTROL_URL": conninfo, "DATALOADER_ENVIRONMENT": environment})
            read_url(url)
        except ConfigurationError as error:
            raise self._refused(f"cannot be used: {error.message}", error.fix) from None
        return url

    def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Engine:
        """Return :meth:`engine`; there is nothing to choose."""
        if engine_kwargs:
            raise ValueError("the control database's engine takes no options")
        return self.engine()

    def get_conn(self) -> psycopg.Connection[Any]:
        """Open a psycopg connection of the caller's own, which reads times as the engine's do."""
        return open_connection(self.control_url())

    def test_connection(self) -> Any:
        """Return whether the database can be reached and its schema is the one this package needs."""
        try:
            engine = self.engine()
            try:
                with transaction(engine, readonly=True) as connection:
                    connection.exec_driver_sql("SELECT 1", execution_options=LAST)
            finally:
                engine.dispose()
        except DataloaderError as error:
            return False, str(error)
        return True, "Connected, and the schema is the one that this version needs."

    def _extra_of(self, conn: Connection) -> Mapping[str, Any]:
        """Return the extra. One that it cannot read Airflow takes for none, and an sslmode in it with it."""
        if not (conn.extra or "").strip():
            return {}
        try:
            found = json.loads(conn.extra or "")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            fix = 'write it as {"sslmode": "verify-full"}, or leave it empty'
            raise self._refused("has an extra that is not a JSON object", fix)
        # Airflow's own word for it hides its secrets in logs, too.
        return conn.extra_dejson

    def _refused(self, what: str, fix: str | None = None) -> ConfigurationError:
        name = self.get_conn_id()
        return ConfigurationError(
            f"Airflow connection {name} {what.rstrip('.')}.",
            field=name,
            fix=fix or "give it the host, port, database, login and password of the control database",
        )
