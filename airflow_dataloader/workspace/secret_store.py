"""Secret scopes of the local workspace: a file that only its owner may read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_dataloader.exceptions import ConfigurationError
from airflow_dataloader.private_file import write_private

#: Bytes that a secret may have, as on Databricks.
LONGEST = 128 * 1024


def not_utf8(name: str) -> ConfigurationError:
    """Return the error of a value that is none of Databricks' texts, without the value."""
    return ConfigurationError(
        f"The value of secret {name!r} holds bytes that are not UTF-8.", fix="pass it in UTF-8"
    )


def wrong_size(name: str) -> ConfigurationError:
    """Return the error of a value that is empty or too long."""
    return ConfigurationError(
        f"The value of secret {name!r} is empty, or longer than {LONGEST} bytes.",
        fix="pass the value on standard input",
    )


class SecretFile:
    """Scopes and names are compared without regard to case, as on Databricks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, scope: str, name: str) -> str | None:
        """Return the value, or None if there is none."""
        return self._read().get(scope.casefold(), {}).get(name.casefold())

    def has_scope(self, scope: str) -> bool:
        """Whether any secret was ever put into the scope."""
        return scope.casefold() in self._read()

    def values(self) -> set[str]:
        """Return every value, to be kept out of what is shown."""
        return {value for scope in self._read().values() for value in scope.values()}

    def put(self, scope: str, name: str, value: str) -> None:
        """Store a value; raise ConfigurationError if it is empty, too long, or not UTF-8."""
        if not (scope.strip() and name.strip()):
            raise ConfigurationError("A secret needs a scope and a name.", fix="name both")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise not_utf8(name) from None
        if not 0 < size <= LONGEST:
            raise wrong_size(name)
        with self._alone():
            scopes = self._read()
            scopes.setdefault(scope.casefold(), {})[name.casefold()] = value
            write_private(self._path, json.dumps(scopes))

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            scopes: dict[str, dict[str, str]] = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            # Not chained: the error holds all that could be read.
            raise self._damaged() from None
        if not _are_scopes(scopes):
            raise self._damaged()
        return scopes

    def _damaged(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path} cannot be read as secrets.",
            fix="mend it, or remove it and put its secrets into the workspace again",
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _are_scopes(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(scope, dict) and all(isinstance(value, str) for value in scope.values())
        for scope in found.values()
    )
