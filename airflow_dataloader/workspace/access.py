"""Lets nobody in without a token: the owner everywhere, a run to the secrets only."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_dataloader.workspace.tokens import hashed, same

#: What a run's own token opens.
_FOR_RUNS = ("/api/2.0/secrets/get",)
#: What a browser may look at with the token as its password, any user.
_FOR_BROWSERS = "/runs/"


class Access:
    """Stands before the whole application, so that no route can forget it."""

    def __init__(self, app: ASGIApp, *, owner: str, knows_run: Callable[[str], bool]) -> None:
        self._app = app
        self._owner = owner
        self._knows_run = knows_run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 without a token, 403 with a wrong one or one of a run; else go on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        browser = scope["method"] == "GET" and scope["path"].startswith(_FOR_BROWSERS)
        token = _token(Headers(scope=scope).get("authorization", ""), basic=browser)
        if token is None:
            challenge = 'Basic realm="dataloader workspace"' if browser else "Bearer"
            return _answer(
                401, "UNAUTHENTICATED", "Credential was not sent.", {"WWW-Authenticate": challenge}
            )
        if same(token, self._owner):
            return None
        if not self._knows_run(hashed(token)):
            return _answer(403, "PERMISSION_DENIED", "Invalid access token.")
        if scope["path"] in _FOR_RUNS and scope["method"] == "GET":
            return None
        return _answer(403, "PERMISSION_DENIED", "A run's token reads secrets and nothing else.")


def _token(header: str, *, basic: bool) -> str | None:
    kind, _, value = header.partition(" ")
    if kind.casefold() == "bearer":
        return value.strip() or None
    if basic and kind.casefold() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _answer(
    status: int, error_code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse({"error_code": error_code, "message": message}, status, headers)
