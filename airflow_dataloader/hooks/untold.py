"""What must not be told of a workspace's connection, whatever an error quotes of a request."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook
from airflow.sdk import Connection

from airflow_dataloader.core.scrub import scrub

log = logging.getLogger(__name__)

#: Names of fields whose texts are secrets, in a connection's extra and in the description of a cluster.
_SECRET = re.compile(
    r"pass|secret|token|key|auth|credential|private|signature|control_url|dsn", re.IGNORECASE
)


def told(error: Exception, hook: DatabricksHook, cluster: Mapping[str, Any] | None) -> str:
    """Return what an error says of a request that ``hook`` was to send, without secrets that it quotes."""
    try:
        conn = hook.databricks_conn
    except Exception:
        # Nothing was sent, then, and nothing of it is quoted.
        log.debug("The workspace's connection cannot be read.", exc_info=True)
        return str(error)
    return untold(str(error), conn, cluster)


def untold(text: str, conn: Connection, cluster: Mapping[str, Any] | None = None) -> str:
    """Return ``text`` without the secrets of ``conn`` and ``cluster``.

    Airflow's own masks look for a secret as it is. An error quotes a header that cannot be sent, and in it a
    line end that was copied together with the token is two characters.
    """
    secrets = {conn.password or "", *_secrets(conn.extra_dejson), *_secrets(cluster or {})}
    return scrub(text, secrets | {secret.strip() for secret in secrets})


def _secrets(found: object, *, secret: bool = False) -> Iterator[str]:
    """Yield the texts below fields whose names say that they are secrets."""
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield from _secrets(value, secret=secret or bool(_SECRET.search(str(name))))
    elif isinstance(found, list):
        for value in found:
            yield from _secrets(value, secret=secret)
    elif isinstance(found, str) and secret:
        yield found
