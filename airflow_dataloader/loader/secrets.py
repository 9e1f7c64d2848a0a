"""Where secrets come from, outside and on a cluster. A secret's value never leaves in an error."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Protocol

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.loader.databricks_runtime import on_databricks
from airflow_dataloader.loader.rest_secrets import RestSecrets


class SecretStore(Protocol):
    """Something that knows secrets by scope and name."""

    def get(self, scope: str, name: str) -> str | None:
        """Return the secret's value, or None where this store does not have it."""


#: Begins the names of environment variables that hold secrets.
PREFIX = "DATALOADER_SECRET_"


def variable_name(scope: str, name: str) -> str:
    """Return the environment variable that holds a secret: upper case, other characters as ``_``."""
    return PREFIX + re.sub(r"[^A-Z0-9]", "_", f"{scope}_{name}".upper())


class EnvironmentSecrets:
    """``DATALOADER_SECRET_<SCOPE>_<NAME>``."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def get(self, scope: str, name: str) -> str | None:
        """Return the variable's value, or None if it is not set."""
        return self._environ.get(variable_name(scope, name))


class DatabricksSecrets:
    """``dbutils.secrets`` of the runtime that this process runs in."""

    def __init__(self, lookup: Callable[[str, str], str]) -> None:
        self._lookup = lookup

    def get(self, scope: str, name: str) -> str | None:
        """Return the secret's value; None when the scope or the name does not exist."""
        try:
            return self._lookup(scope, name)
        except Exception as error:  # noqa: BLE001  dbutils raises classes that depend on the runtime
            # Only these two wordings are stable across runtimes.
            if "RESOURCE_DOES_NOT_EXIST" in str(error) or "does not exist" in str(error).casefold():
                return None
            raise ConfigurationError(
                f"Secret {name!r} of scope {scope!r} could not be read: {type(error).__name__}.",
                field="db_kv_scope",
                fix="give the run's identity READ on the secret scope",
            ) from None

    @classmethod
    def of_runtime(cls, environ: Mapping[str, str]) -> DatabricksSecrets | None:
        """Return the runtime's store, or None outside Databricks."""
        if not on_databricks(environ):
            return None
        from databricks.sdk.runtime import dbutils  # type: ignore[import-not-found,unused-ignore]

        return cls(dbutils.secrets.get)


class SecretChain:
    """Several stores, asked in order."""

    def __init__(self, *stores: SecretStore) -> None:
        self._stores = stores
        self._given: set[str] = set()

    @property
    def given(self) -> frozenset[str]:
        """What it has given out, to be kept out of what this process writes down."""
        return frozenset(self._given)

    def get(self, scope: str, name: str) -> str | None:
        """Return the first store's answer, or None if none has the secret."""
        for store in self._stores:
            value = store.get(scope, name)
            if value is not None:
                self._given.add(value)
                return value
        return None

    def require(self, scope: str, name: str, *, field: str) -> str:
        """Return the secret, or raise ConfigurationError naming the secret and ``field``."""
        value = self.get(scope, name)
        if value is None:
            raise ConfigurationError(
                f"Secret {name!r} does not exist in scope {scope!r}.",
                field=field,
                fix=f"create it there, or set {variable_name(scope, name)} where no secret scope is used",
            )
        return value


def default_secrets(environ: Mapping[str, str] | None = None) -> SecretChain:
    """Return the stores of this process.

    On a cluster its own, and then the environment; elsewhere the environment, and then the workspace that
    ``DATABRICKS_HOST`` and ``DATABRICKS_TOKEN`` name, if they do.
    """
    environ = os.environ if environ is None else environ
    runtime = DatabricksSecrets.of_runtime(environ)
    if runtime is not None:
        return SecretChain(runtime, EnvironmentSecrets(environ))
    workspace = RestSecrets.of(environ)
    return SecretChain(EnvironmentSecrets(environ), *([workspace] if workspace else []))
