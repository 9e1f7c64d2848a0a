"""Makes requests meet the faults that were ordered for them."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_dataloader.workspace.faults import Fault, Faults, Kind

#: Key of the request's scope under which a route finds the faults that are its own affair.
MET = "dataloader.faults"
_OWN = "/faults"


class FaultInjection:
    """Stands between the guard and the application."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delay, refuse, or lose the answer; what concerns runs is left to the route."""
        if scope["type"] != "http" or scope["path"] == _OWN:
            await self._app(scope, receive, send)
            return
        met = self._faults.meet(scope["path"])
        for fault in met:
            if fault.kind is Kind.LATENCY:
                await asyncio.sleep(fault.seconds)
        refusal = next((fault for fault in met if fault.kind is Kind.STATUS), None)
        if refusal is not None:
            await _refuse(refusal)(scope, receive, send)
            return
        scope[MET] = [fault.kind for fault in met]
        if Kind.LOST_ANSWER not in scope[MET]:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _nowhere)
        await _hang_up(send)


def _refuse(fault: Fault) -> Response:
    if fault.status == 429:
        message = "Current request rate has exceeded the limit."
        headers = {"Retry-After": f"{fault.seconds:.0f}"}
        return JSONResponse({"error_code": "RESOURCE_EXHAUSTED", "message": message}, 429, headers)
    code = "TEMPORARILY_UNAVAILABLE" if fault.status == 503 else "INTERNAL_ERROR"
    return JSONResponse({"error_code": code, "message": "A fault was ordered."}, fault.status)


async def _nowhere(_: Message) -> None:
    """Take what would have been the answer."""


async def _hang_up(send: Send) -> None:
    # ASGI has no word for it. The server's own object behind `send` holds the connection.
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
    # The server must learn of it before it finds that nothing was answered.
    await asyncio.sleep(0.05)
