"""From a source's row, which holds names of secrets, to a place to connect to."""

from __future__ import annotations

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.secrets import SecretChain

_LARGEST_PORT = 65_535


def resolve_endpoint(config: LoadConfig, secrets: SecretChain, *, application_name: str) -> Endpoint:
    """Return where the source is, its login read from the secret scope.

    Raises ConfigurationError naming the secret, or the port that is not one.
    """
    values = {
        item: secrets.require(config.secret_scope, name, field=f"db_config_value.{item}")
        for item, name in config.secret_names.items()
    }
    port = values["port"].strip()
    if not (port.isdecimal() and 0 < int(port) <= _LARGEST_PORT):
        raise ConfigurationError(
            f"Secret {config.secret_names['port']!r} of {config.db_config_key!r} is not a port number.",
            field="db_config_value.port",
            fix=f"store a number from 1 to {_LARGEST_PORT} and nothing else",
        )
    return Endpoint(
        db_type=config.db_type,
        host=values["host"],
        port=int(port),
        database=values["database"],
        user=values["user"],
        password=values["password"],
        options=config.connection_options,
        application_name=application_name,
        # Silence is the watchdog's business, which sees whether the source computes; a socket does not.
        read_seconds=config.max_runtime_minutes * 60,
    )
