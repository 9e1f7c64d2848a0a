"""The address of a Spark Connect server, ``SPARK_REMOTE``. It holds a login: nothing here quotes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from airflow_dataloader.core.scrub import scrub
from airflow_dataloader.exceptions import ConfigurationError, DataloaderError, EngineFailed
from airflow_dataloader.loader.databricks_runtime import on_databricks
from airflow_dataloader.loader.engines.spark import errors

SPARK_REMOTE = "SPARK_REMOTE"

_FORM = "write sc://host:15002/;token=…, with the slash, and with %XX for each of ; = / ? # in a value"

#: What Spark's client takes. Of anything else it quotes a part, or takes one of a token for something else.
_ADDRESS = re.compile(
    r"sc://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    # Printable ASCII but # / ; = ?
    r"(?:/(?:;[a-z0-9._-]+=[!-\"$-.0-:<>@-~]*)*;?)?"
)
_PARAMETER = re.compile(r"([^;/=]+)=([^;]*)")

#: Parameters that are no secret; every other one is a token, or a header that may hold one.
_OPEN = frozenset({"session_id", "use_ssl", "user_agent", "user_id"})

_HIGHEST_PORT = 65_535

#: How gRPC shows what came of a call, and the statuses of a server that does not know the login.
_STATUS = re.compile(r"StatusCode\.(\w+)")
_DETAILS = re.compile(r'details = "(.*?)"$', re.MULTILINE)
_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


def remote_of(environ: Mapping[str, str]) -> str | None:
    """Return the address of the server that is Spark here; None: a Spark of our own, or Databricks'."""
    return None if on_databricks(environ) else environ.get(SPARK_REMOTE) or None


def check_remote(environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError if ``SPARK_REMOTE`` names Spark here and cannot be read."""
    remote = remote_of(environ)
    if remote is None:
        return
    found = _ADDRESS.fullmatch(remote)
    if not found or int(found["port"] or 0) > _HIGHEST_PORT:
        raise _unreadable()


def unusable(remote: str, error: Exception) -> DataloaderError:
    """Return our error for what Spark's client raised when it opened its first session at ``remote``."""
    if isinstance(error, ValueError):
        # Its client could not send what stands in the address, and quotes it.
        return _unreadable()
    text = errors.report(error).text
    status, details = _STATUS.search(text), _DETAILS.search(text)
    said = details[1] if details else errors.translate(error, "opening a session").message
    said = scrub(said, remote_secrets({SPARK_REMOTE: remote})).rstrip(".")
    if status and status[1] in _REFUSED:
        return ConfigurationError(
            f"The Spark server of {SPARK_REMOTE} refuses the login: {said}.",
            field=SPARK_REMOTE,
            fix=f"correct the token in {SPARK_REMOTE}",
        )
    return EngineFailed(
        f"The Spark server of {SPARK_REMOTE} does not answer: {said}.",
        field=SPARK_REMOTE,
        fix=f"see that it runs, and that host and port in {SPARK_REMOTE} are its own",
    )


def remote_secrets(environ: Mapping[str, str]) -> set[str]:
    """Return what ``SPARK_REMOTE`` holds that nobody may see, as it stands there and as it is meant."""
    hidden = [value for name, value in _PARAMETER.findall(environ.get(SPARK_REMOTE, "")) if name not in _OPEN]
    return {spelling for value in hidden for spelling in (value, unquote(value))} - {""}


def _unreadable() -> ConfigurationError:
    return ConfigurationError(f"{SPARK_REMOTE} cannot be read.", field=SPARK_REMOTE, fix=_FORM)
