"""Connections to the workspace: how long one may keep it waiting for a request, and how many there may be."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def limited(head_seconds: float, most: int) -> type[H11Protocol]:
    """Return uvicorn's protocol, with an end to half-open connections.

    A connection is closed if the head of a request is not there ``head_seconds`` after it was opened, or
    after the first byte of a later request. One that is opened beside ``most`` others is closed at once.
    """

    class Limited(H11Protocol):
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                self.logger.warning("A connection was refused: there are %s already.", most)
                transport.abort()
            else:
                self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._wait_no_more()
            elif self._late is None and not self.transport.is_closing():
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait_no_more()
            super().connection_lost(exc)

        def _wait(self) -> None:
            # Bytes that trickle in do not put it off.
            self._late = self.loop.call_later(head_seconds, self.transport.abort)

        def _wait_no_more(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Limited
