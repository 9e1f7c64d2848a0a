"""The two connections that loads need, as Airflow reads them from its environment."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

from airflow_dataloader.defaults import CONTROL_CONN_ID, DATABRICKS_CONN_ID


def control_connection(url: str, name: str = CONTROL_CONN_ID) -> dict[str, str]:
    """Return the variable that names the control database behind a libpq URL."""
    parts = urlsplit(url)
    return _variable(
        name,
        conn_type="dataloader_control",
        host=parts.hostname,
        port=parts.port,
        schema=unquote(parts.path.removeprefix("/")),
        login=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def databricks_connection(url: str, token: str, name: str = DATABRICKS_CONN_ID) -> dict[str, str]:
    """Return the variable that names the workspace at ``url``."""
    parts = urlsplit(url)
    # Airflow's hook takes scheme and port from fields of their own, and ignores them in the host.
    return _variable(
        name,
        conn_type="databricks",
        host=parts.hostname,
        port=parts.port,
        schema=parts.scheme,
        password=token,
    )


def _variable(name: str, **fields: str | int | None) -> dict[str, str]:
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields)}
