"""What must not be told of a workspace's connection, whatever an error quotes of a request."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk import Connection

from airflow_dataloader.core.scrub import scrub

log = logging.getLogger(__name__)

#: Names of fields whose texts are secrets, in a connection's extra and in the description of a cluster.
_SECRET = re.compile(
    r"pass|secret|token|key|auth|credential|private|signature|control_url|dsn", re.IGNORECASE
)

#: Passwords in addresses, whatever the name of their field: ``scheme://user:…@host`` and ``…;password=…``.
_IN_ADDRESS = re.compile(r"://[^/\s:@]*:([^/\s@]+)@|[?&;]password=([^&;\s]+)", re.IGNORECASE)


def redacted_message(error: Exception, hook: DatabricksHook, cluster: Mapping[str, Any] | None = None) -> str:
    """Return what an error says of a request that ``hook`` was to send, without secrets that it quotes."""
    return _redacted(str(error), hook, cluster)


def redacted_instead(
    error: Exception, hook: DatabricksHook, cluster: Mapping[str, Any] | None = None
) -> str | None:
    """Return what to raise in the place of ``error``; None: nothing of it quotes a secret."""
    # Not a whole traceback: its lines of code would hold short secrets by chance.
    whole = "\n".join(_messages(error))
    return None if _redacted(whole, hook, cluster) == whole else redacted_message(error, hook, cluster)


class _Log(Protocol):
    """What Python's loggers and Airflow's have in common."""

    def warning(self, event: Any, *args: Any) -> Any: ...
    def debug(self, event: Any, *args: Any) -> Any: ...


class LogRedacted:
    """Logs what the enclosed requests fail at, without secrets, and goes on behind them."""

    def __init__(
        self,
        log: _Log,
        what: str,
        hook: DatabricksHook,
        cluster: Mapping[str, Any] | None = None,
    ) -> None:
        """Begin lines with ``what``, such as ``The run could not be cancelled``."""
        self._log = log
        self._what = what
        self._hook = hook
        self._cluster = cluster

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _where: TracebackType | None
    ) -> bool:
        """Take an error; what is none, such as an interrupt, passes."""
        if not isinstance(error, Exception):
            return False
        self._log.warning("%s: %s", self._what, redacted_message(error, self._hook, self._cluster))
        where = _redacted("".join(traceback.format_exception(error)), self._hook, self._cluster)
        self._log.debug("This is where it happened:\n%s", where)
        return True


def _messages(error: BaseException | None) -> Iterator[str]:
    """Yield what the error says and what those say that a log shows with it."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _redacted(text: str, hook: DatabricksHook, cluster: Mapping[str, Any] | None) -> str:
    try:
        conn = hook.databricks_conn
    except Exception:
        # Nothing was sent, then, and nothing of it is quoted.
        log.debug("The workspace's connection cannot be read.", exc_info=True)
        return text
    return redact(text, conn, cluster)


def redact(text: str, conn: Connection, cluster: Mapping[str, Any] | None = None) -> str:
    """Return ``text`` without the secrets of ``conn`` and ``cluster``.

    Airflow's own masks look for a secret as it is. An error quotes a header that cannot be sent, and in it a
    line end that was copied together with the token is two characters.
    """
    secrets = {conn.password or "", *_secrets(conn.extra_dejson), *_secrets(cluster or {})}
    return scrub(text, secrets | {secret.strip() for secret in secrets})


def _secrets(found: object, *, secret: bool = False) -> Iterator[str]:
    """Yield the texts below fields whose names say that they are secrets, and the passwords of addresses."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield from _secrets(value, secret=secret or bool(_SECRET.search(str(name))))
    elif isinstance(found, list):
        for value in found:
            yield from _secrets(value, secret=secret)
    elif isinstance(found, str):
        if secret:
            yield found
        for match in _IN_ADDRESS.finditer(found):
            yield match[1] or match[2]
