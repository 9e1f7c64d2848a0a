"""How a loader finds the control database: environment, then secret scope."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_dataloader.control.url import names_control, resolve_url
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.secrets import SecretChain

#: Scope and name of the secret that holds the URL where the environment does not.
SCOPE, NAME = "dataloader", "control_url"


def find_control_url(environ: Mapping[str, str], secrets: SecretChain) -> str:
    """Return the control database's URL, or raise ConfigurationError naming where it was looked for.

    The secret is asked only where the environment names no database at all: one that the environment names
    wrongly is somebody's mistake, and the secret's may be another.
    """
    found = None if names_control(environ) else secrets.get(SCOPE, NAME)
    if found is not None:
        return _of_secret(environ, found)
    try:
        return resolve_url(environ)
    except ConfigurationError as error:
        if names_control(environ):
            raise
        fix = f"{error.fix or ''}, or store the URL as secret {NAME!r} of scope {SCOPE!r}"
        raise ConfigurationError(error.message, field=error.field, fix=fix) from None


def _of_secret(environ: Mapping[str, str], url: str) -> str:
    try:
        return resolve_url({**environ, "DATALOADER_CONTROL_URL": url})
    except ConfigurationError as error:
        message = f"Secret {NAME!r} of scope {SCOPE!r}: {error.message}"
        raise ConfigurationError(message, field=error.field, fix=error.fix) from None
