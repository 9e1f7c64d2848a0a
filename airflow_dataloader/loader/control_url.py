"""How a loader finds the control database: environment, then secret scope."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_dataloader.control.connect import resolve_url
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.secrets import SecretChain

#: Scope and name of the secret that holds the URL where the environment does not.
SCOPE, NAME = "dataloader", "control_url"


def find_control_url(environ: Mapping[str, str], secrets: SecretChain) -> str:
    """Return the control database's URL, or raise ConfigurationError naming where it was looked for."""
    try:
        return resolve_url(environ)
    except ConfigurationError as missing:
        found = secrets.get(SCOPE, NAME)
        if found is not None:
            return resolve_url({**environ, "DATALOADER_CONTROL_URL": found})
        raise ConfigurationError(
            missing.message,
            field=missing.field,
            fix=f"{missing.fix}, or store the URL as secret {NAME!r} of scope {SCOPE!r}",
        ) from None
