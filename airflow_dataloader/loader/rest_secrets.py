"""Secrets from a workspace's REST API, for a process that does not run in a Databricks runtime."""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from airflow_dataloader.exceptions import ConfigurationError, TransientError

_SECONDS = 30.0
#: Seconds to wait before each further try, where the workspace is busy, or away for a moment.
_PAUSES = (0.5, 2.0, 5.0)
_BUSY = 429

#: Python's own client quotes what it cannot send, and takes line ends out of an address without a word.
_SENDABLE = re.compile(r"[!-~]+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class RestSecrets:
    """``GET /api/2.0/secrets/get``."""

    host: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the store that ``DATABRICKS_HOST`` and ``DATABRICKS_TOKEN`` name, or None."""
        host, token = environ.get("DATABRICKS_HOST"), environ.get("DATABRICKS_TOKEN")
        if not (host and token):
            return None
        return cls(host if "://" in host else f"https://{host}", token)

    def get(self, scope: str, name: str) -> str | None:
        """Return the secret's value; None when the scope or the name does not exist.

        Raises ConfigurationError if it may not be read, TransientError if the workspace does not answer.
        """
        _refuse_unusable(self.host, self.token)
        query = urlencode({"scope": scope, "key": name})
        address = f"{self.host.rstrip('/')}/api/2.0/secrets/get?{query}"
        request = Request(address, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
        answer = self._ask(request, scope, name)
        if answer is None:
            return None
        try:
            return base64.b64decode(json.loads(answer)["value"]).decode()
        except (ValueError, KeyError, TypeError, binascii.Error):
            # The answer may hold the value, so that nothing of it is shown.
            raise _refused(scope, name, "its answer cannot be read") from None

    def _ask(self, request: Request, scope: str, name: str) -> bytes | None:
        for pause in (*_PAUSES, None):
            try:
                with _opener(self.host).open(request, timeout=_SECONDS) as answer:
                    return bytes(answer.read())
            except HTTPError as error:
                if error.code == 404:
                    return None
                if error.code != _BUSY and error.code < 500:
                    raise _refused(scope, name, f"it answered {error.code}") from None
                trouble = f"it answered {error.code}"
            except (URLError, OSError, HTTPException) as error:
                trouble = type(error).__name__
            if pause is not None:
                time.sleep(pause)
        raise TransientError(f"{self.host} was asked for secret {name!r} of scope {scope!r}: {trouble}.")


class _NoRedirect(HTTPRedirectHandler):
    """Goes nowhere else: urllib would bring the token wherever an answer points to, a login page say."""

    def redirect_request(self, *_: object) -> None:
        """Leave the answer what it is, an error."""


def _opener(host: str) -> OpenerDirector:
    # A proxy for the world outside cannot reach this machine's own loopback.
    local = [ProxyHandler({})] if urlsplit(host).hostname in _LOOPBACK else []
    return build_opener(_NoRedirect, *local)


def _refuse_unusable(host: str, token: str) -> None:
    """Raise ConfigurationError for what cannot be sent, or would be sent for all to read; quote neither."""
    if not _SENDABLE.fullmatch(token):
        raise ConfigurationError(
            "DATABRICKS_TOKEN holds a character that no token has, a line end for instance.",
            field="DATABRICKS_TOKEN",
            fix="set it to the token alone",
        )
    address = _read(host)
    if address is None:
        raise ConfigurationError(
            "DATABRICKS_HOST is not the address of a workspace.",
            field="DATABRICKS_HOST",
            fix="write it as https://host, without a login in it",
        )
    if address.scheme == "http" and address.hostname not in _LOOPBACK:
        raise ConfigurationError(
            f"DATABRICKS_HOST would have token and secrets go to and from {address.hostname} without TLS.",
            field="DATABRICKS_HOST",
            fix="write it as https://host; http is for a workspace on this machine",
        )


def _read(host: str) -> SplitResult | None:
    """Return the parts of an address of http or https that holds no login; None where it is none."""
    try:
        address = urlsplit(host)
        _ = address.port
    except ValueError:
        return None
    plain = _SENDABLE.fullmatch(host) and address.hostname and "@" not in address.netloc
    return address if plain and address.scheme in {"http", "https"} else None


def _refused(scope: str, name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"Secret {name!r} of scope {scope!r} could not be read: {why}.",
        field="db_kv_scope",
        fix="give the run's identity READ on the secret scope, or check DATABRICKS_HOST and DATABRICKS_TOKEN",
    )
