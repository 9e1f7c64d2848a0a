"""From a source's row, which holds names of secrets, to a place to connect to."""

from __future__ import annotations

from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.plan import Endpoint
from airflow_dataloader.core.texts import can_be_kept
from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.secrets import SecretChain

_LARGEST_PORT = 65_535
_PORT_DIGITS = 5

#: A client takes a default for these where they are empty: another database, or another login.
_NEVER_EMPTY = ("database", "user")


def resolve_endpoint(config: LoadConfig, secrets: SecretChain, *, application_name: str) -> Endpoint:
    """Return where the source is, its login read from the secret scope.

    Raises ConfigurationError naming the secret that is missing, or is not what its item needs.
    """
    values = {item: _value(config, secrets, item) for item in config.secret_names}
    port = values["port"].strip()
    if not (port.isdecimal() and len(port) <= _PORT_DIGITS and 0 < int(port) <= _LARGEST_PORT):
        fix = f"store a number from 1 to {_LARGEST_PORT} and nothing else"
        raise _refused(config, "port", "is not a port number", fix)
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


def _value(config: LoadConfig, secrets: SecretChain, item: str) -> str:
    value = secrets.require(config.secret_scope, config.secret_names[item], field=f"db_config_value.{item}")
    if not can_be_kept(value):
        # libpq reads to a NUL and no further: what stands behind it, the host say, would be another one.
        raise _refused(config, item, "holds NUL, or bytes that are not UTF-8", "store it as a text in UTF-8")
    if item in _NEVER_EMPTY and not value:
        raise _refused(config, item, "is empty", f"store the {item}'s name in it")
    return value


def _refused(config: LoadConfig, item: str, what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"Secret {config.secret_names[item]!r} of {config.db_config_key!r} {what}.",
        field=f"db_config_value.{item}",
        fix=fix,
    )
