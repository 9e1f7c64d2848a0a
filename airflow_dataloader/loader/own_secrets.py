"""The secrets that this process was given, to be kept out of what it says and writes down."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_dataloader.control.url import read_url
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.engines.spark.remote import remote_secrets
from airflow_dataloader.loader.secrets import PREFIX


def login_secrets(environ: Mapping[str, str]) -> set[str]:
    """Return the passwords and tokens for the control database, for Spark, and for the workspace."""
    token = environ.get("DATABRICKS_TOKEN", "")
    # What quotes it may have left a line end out that was copied together with it.
    found = {environ.get("LAKEBASE_PASSWORD", ""), token, token.strip()}
    found |= remote_secrets(environ)
    try:
        parameters = read_url(environ.get("DATALOADER_CONTROL_URL", "")).parameters
    except ConfigurationError:
        # A message about a URL that cannot be read shows no part of it.
        parameters = {}
    found.add(parameters.get("password", ""))
    return found - {""}


def all_secrets(environ: Mapping[str, str]) -> set[str]:
    """Return :func:`login_secrets`, and all that stands in for a secret scope: hosts and ports too."""
    scope = {value for name, value in environ.items() if name.startswith(PREFIX)}
    return (login_secrets(environ) | scope) - {""}
